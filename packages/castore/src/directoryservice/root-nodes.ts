import type { CallOptions } from "../blobservice/blob-service.js";
import type { DirectoryEntry } from "../nodes/directory.js";
import type { Node } from "../nodes/node.js";
import type { PathComponent } from "../path/component.js";

/**
 * What stands at the top of a file system: names, each with a node. The entries of a Directory, or the
 * store paths of a store, of which new ones may appear at any time.
 */
export interface RootNodes {
  /** The node under `name`; `undefined` when there is none. Absence is not an error. */
  get(name: PathComponent, options?: CallOptions): Promise<Node | undefined>;

  /** All of them, each once, in any order. What appears meanwhile may be seen or not. */
  list(options?: CallOptions): AsyncIterable<DirectoryEntry>;
}
