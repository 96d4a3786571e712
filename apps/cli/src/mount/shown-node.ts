import { PathComponent } from "@tvix/castore";
import type { NamedNode } from "@tvix/mount";
import type { OpenStore } from "../store/open-store.js";
import { resolve } from "../target/resolve.js";
import type { Target } from "../target/target.js";

/** What is shown of a target. A file needs a name; that of its store path where there is one. */
export async function shownNode(
  store: OpenStore,
  target: Target,
  signal: AbortSignal,
): Promise<NamedNode> {
  const { node, pathInfo } = await resolve(store, target, { signal });
  const inner = target.path.components.at(-1);
  const outer = pathInfo === undefined ? "content" : pathInfo.storePath.baseName;
  return { node, name: inner ?? PathComponent.parse(outer) };
}
