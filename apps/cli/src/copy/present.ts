import type { CallOptions } from "@tvix/castore";
import type { PathInfo } from "@tvix/store";
import type { OpenStore } from "../store/open-store.js";
import type { PathFacts } from "./transfer.js";

/** What a store knows about a path that it has. */
export async function presentIn(
  store: OpenStore,
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
  store: OpenStore,
  pathInfo: PathInfo,
  options: CallOptions,
): Promise<void> {
  const { node, narSize, narSha256 } = pathInfo;
  await store.narCalculation.remember(node, { narSize, narSha256 }, options);
  await store.pathInfos.put(pathInfo, options);
}
