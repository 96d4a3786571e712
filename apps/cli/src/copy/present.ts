import type { CallOptions } from "@tvix/castore";
import type { PathInfo } from "@tvix/store";
import type { OpenStore } from "../store/open-store.js";
import type { PathFacts } from "./transfer.js";

/** The part of a store that copies work with. */
export type CopiedStore = Pick<
  OpenStore,
  "place" | "blobs" | "directories" | "pathInfos" | "narCalculation"
>;

/** What a store knows about a path that it has. */
export async function presentIn(
  store: CopiedStore,
  outputHash: Uint8Array,
  options: CallOptions,
): Promise<PathFacts | undefined> {
  const pathInfo = await store.pathInfos.get(outputHash, options);
  if (pathInfo === undefined) return undefined;
  const { storePath, references, narSize } = pathInfo;
  return { storePath, references, narSize, isPresent: true };
}

/** Makes a path known whose content is stored and was verified; its NAR need not be computed again. */
export async function publishIn(
  store: CopiedStore,
  pathInfo: PathInfo,
  options: CallOptions,
): Promise<void> {
  const { node, narSize, narSha256 } = pathInfo;
  await store.narCalculation.remember(node, { narSize, narSha256 }, options);
  await store.pathInfos.put(pathInfo, options);
}
