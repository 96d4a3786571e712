import type { CallOptions } from "@tvix/castore";
import { ContentAddressError } from "../content-address/content-address-error.js";
import { isContentAddressed } from "../content-address/verify.js";
import { verifyStoredContent } from "../content-address/verify-stored.js";
import type { PathInfo } from "../path-info.js";
import type { StorePath } from "../store-path/store-path.js";
import type { CacheParts } from "./cache-parts.js";
import { CacheRefusal } from "./refusal.js";

/** References that are looked up at a time. */
const CONCURRENT_LOOKUPS = 16;

/** Refuses references to paths that are not here: whoever takes a path from a cache takes its closure. */
export async function checkReferences(
  parts: CacheParts,
  { storePath, references }: PathInfo,
  options: CallOptions,
): Promise<void> {
  if (!parts.options.checkReferences) return;
  const others = references.filter((reference) => !reference.equals(storePath));
  for (let i = 0; i < others.length; i += CONCURRENT_LOOKUPS) {
    const asked = others.slice(i, i + CONCURRENT_LOOKUPS);
    const known = await Promise.all(asked.map((reference) => isKnown(parts, reference, options)));
    const missing = asked.find((_, k) => known[k] !== true);
    if (missing === undefined) continue;
    throw new CacheRefusal(400, `${storePath} refers to ${missing}, which is not here`);
  }
}

async function isKnown(
  { pathInfos }: CacheParts,
  path: StorePath,
  options: CallOptions,
): Promise<boolean> {
  const pathInfo = await pathInfos.get(path.digestBytes(), options);
  return pathInfo?.storePath.equals(path) === true;
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
