import type { CallOptions } from "../blobservice/blob-service.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { CastoreError } from "../errors.js";
import type { Directory } from "../nodes/directory.js";
import type { DirectoryNode, Node } from "../nodes/node.js";
import type { Path } from "../path/path.js";

/**
 * Follows `path` down from `node`. The empty path leads to `node` itself. Symbolic links are not
 * followed.
 *
 * @returns `undefined` when there is no such name, or when what is not the last part of the path is
 *   not a directory
 * @throws {@link CastoreError} "MISSING_REFERENCE" when a Directory on the way is not stored
 */
export async function descendTo(
  directories: Pick<DirectoryService, "get">,
  node: Node,
  path: Path,
  options: CallOptions = {},
): Promise<Node | undefined> {
  let current: Node = node;
  for (const name of path.components) {
    if (current.type !== "directory") return undefined;
    const directory = await getChild(directories, current, options);
    const next = directory.get(name);
    if (next === undefined) return undefined;
    current = next;
  }
  return current;
}

/**
 * The Directory that `node` refers to.
 *
 * @throws {@link CastoreError} "MISSING_REFERENCE" when it is not stored
 */
export async function getChild(
  directories: Pick<DirectoryService, "get">,
  node: DirectoryNode,
  options: CallOptions = {},
): Promise<Directory> {
  const directory = await directories.get(node.digest, options);
  if (directory === undefined) {
    throw new CastoreError("MISSING_REFERENCE", `Cannot read directory ${node.digest}: not stored`);
  }
  return directory;
}
