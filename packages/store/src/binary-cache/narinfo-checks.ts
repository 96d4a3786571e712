import type { CallOptions } from "@tvix/castore";
import { ContentAddressError } from "../content-address/content-address-error.js";
import { isContentAddressed } from "../content-address/verify.js";
import { verifyStoredContent } from "../content-address/verify-stored.js";
import type { PathInfo } from "../path-info.js";
import { findUnknownReference } from "../pathinfoservice/find-unknown-reference.js";
import type { CacheParts } from "./cache-parts.js";
import { CacheRefusal } from "./refusal.js";

/** Refuses references to paths that are not here: whoever takes a path from a cache takes its closure. */
export async function checkReferences(
  { pathInfos, options: { checkReferences: isWanted } }: CacheParts,
  pathInfo: PathInfo,
  options: CallOptions,
): Promise<void> {
  const unknown = isWanted ? await findUnknownReference(pathInfos, pathInfo, options) : undefined;
  if (unknown === undefined) return;
  throw new CacheRefusal(400, `${pathInfo.storePath} refers to ${unknown}, which is not here`);
}

/** Refuses a content address that the content does not have, or that the path does not follow from. */
export async function checkContentAddress(
  parts: CacheParts,
  pathInfo: PathInfo,
  options: CallOptions,
): Promise<void> {
  try {
    await verifyStoredContent(parts, pathInfo, options);
  } catch (cause) {
    if (!(cause instanceof ContentAddressError)) throw cause;
    throw new CacheRefusal(400, cause.message, {}, { cause });
  }
}

/** Where keys are trusted, refuses what none of them has signed and what does not prove itself. */
export function checkSignatures(parts: CacheParts, pathInfo: PathInfo): void {
  const { trustedKeys } = parts.options;
  if (trustedKeys === undefined || isContentAddressed(pathInfo)) return;
  if (trustedKeys.verify(pathInfo).length > 0) return;
  throw new CacheRefusal(
    403,
    `${pathInfo.storePath} has no signature by a key that is trusted here`,
  );
}
