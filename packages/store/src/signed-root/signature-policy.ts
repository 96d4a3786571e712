import type { Node } from "@tvix/castore";
import { type ContentAddressClaim, isContentAddressed } from "../content-address/verify.js";
import type { SignedFacts } from "../signature/fingerprint.js";
import type { Signature } from "../signature/signature.js";
import type { TrustedKeys } from "../signature/trusted-keys.js";
import { isRootSignature, rootKeyName, verifyRoot } from "./root-signature.js";

/**
 * Who is believed: one of these keys must have signed what a store says about a path, or anybody.
 *
 * - "any" asks for a signature of any kind, of the NAR or of the root; or for a path that follows from its content.
 * - "root" asks for a signature of the root, so that no content has to be read to believe it.
 */
export type SignaturePolicy =
  | { readonly trustedKeys: TrustedKeys; readonly require?: "any" | "root" }
  | "accept-unsigned";

/** What somebody says about a store path: a `PathInfo`, or a `Narinfo`, which has no root. */
export interface SignedClaim extends SignedFacts {
  readonly signatures: readonly Signature[];
  readonly contentAddress?: ContentAddressClaim["contentAddress"];
  readonly node?: Node;
}

/**
 * Why a claim is not believed; `undefined` when it is. That the content is the one that a content address or a NAR
 * hash promises is for whoever reads the content.
 */
export function signatureProblem(claim: SignedClaim, policy: SignaturePolicy): string | undefined {
  if (policy === "accept-unsigned" || hasTrustedRoot(claim, policy)) return undefined;
  if (policy.require === "root") return rootProblem(claim);
  if (isContentAddressed(claim) || policy.trustedKeys.verify(claim).length > 0) return undefined;
  if (claim.signatures.length === 0) return "it has no signature";
  return `none of its signatures (${namesOf(claim.signatures)}) is by a trusted key`;
}

/** Whether a key that `policy` trusts vouches for the root of `claim`, so that its NAR proves nothing more. */
export function hasTrustedRoot(claim: SignedClaim, policy: SignaturePolicy): boolean {
  const { node } = claim;
  if (policy === "accept-unsigned" || node === undefined) return false;
  return verifyRoot(policy.trustedKeys, { ...factsOf(claim), node }).length > 0;
}

/** Fields of a `PathInfo` that are getters are not copied by a spread. */
function factsOf({ storePath, narSha256, narSize, references, signatures }: SignedClaim) {
  return { storePath, narSha256, narSize, references, signatures };
}

function rootProblem({ node, signatures }: SignedClaim): string {
  if (node === undefined) return "it says nothing about a root that could be signed";
  const roots = signatures.filter(isRootSignature);
  if (roots.length === 0) return "it has no root signature";
  return `none of its root signatures (${namesOf(roots)}) is by a trusted key`;
}

function namesOf(signatures: readonly Signature[]): string {
  const names = signatures.map((signature) => rootKeyName(signature) ?? signature.keyName);
  return [...new Set(names)].join(", ");
}
