import { isContentAddressed } from "../content-address/verify.js";
import type { Narinfo } from "../narinfo/narinfo.js";
import type { TrustedKeys } from "../signature/trusted-keys.js";

/**
 * Who is believed: one of these keys must have signed what a cache says about a path, unless the path
 * follows from its content; or anybody.
 */
export type SignaturePolicy = { readonly trustedKeys: TrustedKeys } | "accept-unsigned";

/**
 * Why a narinfo is not believed; `undefined` when it is. That the content is the one that a content address
 * promises is for whoever reads the content.
 */
export function signatureProblem(narinfo: Narinfo, policy: SignaturePolicy): string | undefined {
  if (policy === "accept-unsigned" || isContentAddressed(narinfo)) return undefined;
  if (policy.trustedKeys.verify(narinfo).length > 0) return undefined;
  if (narinfo.signatures.length === 0) return "it has no signature";
  const names = [...new Set(narinfo.signatures.map(({ keyName }) => keyName))].join(", ");
  return `none of its signatures (${names}) is by a trusted key`;
}
