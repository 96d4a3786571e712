import type { B3Digest } from "../digest.js";
import type { Directory } from "../nodes/directory.js";
import { directoryDigest } from "../wire/directory-digest.js";

/**
 * Orders a closure for an upload: every child before its parents, each once.
 *
 * @param directories - by the key of their digests; children that are not there are left out
 */
export function* leavesToRoot(
  root: Directory,
  directories: ReadonlyMap<string, Directory>,
): Generator<Directory, void, undefined> {
  const begun = new Set([directoryDigest(root).key]);
  const path = [{ directory: root, children: childrenOf(root) }];
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const digest = top.children.next().value;
    if (digest === undefined) {
      yield top.directory;
      path.pop();
      continue;
    }
    const child = directories.get(digest.key);
    if (child === undefined || begun.has(digest.key)) continue;
    begun.add(digest.key);
    path.push({ directory: child, children: childrenOf(child) });
  }
}

/** The digests of the directories in `directory`. */
export function* childrenOf(directory: Directory): Generator<B3Digest, undefined, undefined> {
  for (const { node } of directory.entries) if (node.type === "directory") yield node.digest;
  return undefined;
}
