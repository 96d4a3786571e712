import type { CallOptions } from "../blobservice/blob-service.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import type { DirectoryEntry } from "../nodes/directory.js";
import type { Node } from "../nodes/node.js";
import { Path } from "../path/path.js";
import { getChild } from "./descend-to.js";

/** An object of a tree and where it is, seen from the root (which has the empty path). */
export interface TreeEntry {
  readonly path: Path;
  readonly node: Node;
}

/** A directory that is being walked through. */
interface Level {
  readonly path: Path;
  readonly entries: Iterator<DirectoryEntry>;
}

/**
 * Yields `root` and everything below it, depth first, each directory before what it holds, names in
 * byte order: the order of a NAR.
 *
 * A Directory that the tree has in several places is walked in each of them, so a small closure can
 * be an enormous tree: bound what you take. `walkClosure()` visits each once.
 *
 * @throws {@link CastoreError} "MISSING_REFERENCE" when a Directory of the tree is not stored
 */
export async function* walkTree(
  directories: Pick<DirectoryService, "get">,
  root: Node,
  options: CallOptions = {},
): AsyncGenerator<TreeEntry, void, undefined> {
  const levels: Level[] = [];
  let current: TreeEntry | undefined = { path: Path.EMPTY, node: root };
  while (current !== undefined) {
    options.signal?.throwIfAborted();
    yield current;
    const { path, node }: TreeEntry = current;
    if (node.type === "directory") {
      const directory = await getChild(directories, node, options);
      levels.push({ path, entries: directory.entries[Symbol.iterator]() });
    }
    current = nextEntry(levels);
  }
}

/** The next entry of the innermost directory that has one; leaves those that have none. */
function nextEntry(levels: Level[]): TreeEntry | undefined {
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const next = level.entries.next();
    if (next.done !== true) {
      return { path: level.path.join(next.value.name), node: next.value.node };
    }
    levels.pop();
  }
  return undefined;
}
