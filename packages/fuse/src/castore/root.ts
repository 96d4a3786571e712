import {
  type B3Digest,
  Directory,
  DirectoryRootNodes,
  type Node,
  type PathComponent,
  type RootNodes,
} from "@tvix/castore";

/** What stands at the top of a file system: a Directory, or names that may come and go. */
export type CastoreRoot = B3Digest | RootNodes;

/**
 * The root of a file system that shows one node: the content of a directory. A file or a symlink cannot be a root, and
 * is shown under `name` in an otherwise empty one.
 */
export function rootOfNode(node: Node, name: PathComponent): CastoreRoot {
  if (node.type === "directory") return node.digest;
  return DirectoryRootNodes.of(Directory.fromEntries([{ name, node }]));
}
