import type { CallOptions } from "@tvix/castore";
import type { PathInfo } from "../path-info.js";
import type { StorePath } from "../store-path/store-path.js";
import type { PathInfoService } from "./path-info-service.js";
import { getStorePath } from "./root-nodes.js";

/** References that are looked up at a time. */
const CONCURRENT_LOOKUPS = 16;

/** The first path, other than itself, that a path refers to and `pathInfos` do not know, if any. */
export async function findUnknownReference(
  pathInfos: PathInfoService,
  { storePath, references }: Pick<PathInfo, "storePath" | "references">,
  options: CallOptions,
): Promise<StorePath | undefined> {
  const others = references.filter((reference) => !reference.equals(storePath));
  for (let i = 0; i < others.length; i += CONCURRENT_LOOKUPS) {
    const asked = others.slice(i, i + CONCURRENT_LOOKUPS);
    const known = await Promise.all(asked.map((path) => getStorePath(pathInfos, path, options)));
    const unknown = asked.find((_, k) => known[k] === undefined);
    if (unknown !== undefined) return unknown;
  }
  return undefined;
}
