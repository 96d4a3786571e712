import { type CallOptions, equalBytes } from "@tvix/castore";
import { verifyStoredContent } from "../content-address/verify-stored.js";
import { StoreError } from "../errors.js";
import type { CastoreServices } from "../nar/renderer.js";
import type { NarCalculationService } from "../nar-calculation.js";
import type { PathInfo } from "../path-info.js";
import { hasTrustedRoot, type SignaturePolicy, signatureProblem } from "./signature-policy.js";

/** Where the content of a path is read that has to prove itself. */
export interface ContentProof extends CastoreServices {
  /** One that is believed, as it computes here: that of the store in question proves nothing. */
  readonly narCalculation: NarCalculationService;
}

/**
 * How the root of a path info was found to be the right one: by a signature of a trusted key, by its NAR, which was
 * computed, or not at all, as anybody is believed.
 */
export type RootEvidence = "root-signature" | "content" | "none";

/**
 * Makes sure that a path info of a foreign store may be used, by `policy`. Reads nothing where a trusted key vouches
 * for the root; else it reads the whole content, and compares the hash of its NAR with the one that is signed.
 *
 * @throws {@link StoreError} with code "PERMISSION_DENIED" when nobody who is trusted has signed it, "CORRUPT" when the
 *   content has another NAR; `ContentAddressError`
 */
export async function verifyPathInfo(
  pathInfo: PathInfo,
  policy: SignaturePolicy,
  content: ContentProof,
  options: CallOptions = {},
): Promise<RootEvidence> {
  if (policy === "accept-unsigned") return "none";
  if (hasTrustedRoot(pathInfo, policy)) return "root-signature";
  const { storePath, node, narSize, narSha256 } = pathInfo;
  const problem = signatureProblem(pathInfo, policy);
  if (problem !== undefined) {
    throw new StoreError("PERMISSION_DENIED", `Cannot trust ${storePath}: ${problem}`);
  }
  const actual = await content.narCalculation.calculateNar(node, options);
  if (actual.narSize !== narSize || !equalBytes(actual.narSha256, narSha256)) {
    const what = "its content has another NAR than the one that is signed";
    throw new StoreError("CORRUPT", `Cannot trust ${storePath}: ${what}`);
  }
  // That the path follows from its content is why no signature was asked for.
  await verifyStoredContent(content, pathInfo, options);
  return "content";
}
