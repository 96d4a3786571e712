import { B3Digest } from "../digest.js";
import { Directory, type DirectoryEntry, type DirectorySizeRule } from "../nodes/directory.js";
import { type DirectoryNode, directoryNode, fileNode, type Node } from "../nodes/node.js";
import { PathComponent } from "../path/component.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { CLOSURE_FIXTURES, directoryFixture, EMPTY_DIGEST } from "./fixtures.js";

/** A Directory of nodes by name. */
export function directoryOf(entries: Readonly<Record<string, Node>>): Directory {
  return Directory.fromEntries(
    Object.entries(entries).map(([name, node]) => ({ name: PathComponent.parse(name), node })),
  );
}

/** The node that refers to `directory`. */
export function nodeOf(
  directory: Directory,
  rule: DirectorySizeRule = "documented",
): DirectoryNode {
  return directoryNode(directoryDigest(directory), directory.size(rule));
}

/** A digest that belongs to nothing. */
export const NOWHERE: B3Digest = B3Digest.fromBytes(new Uint8Array(32).fill(0xee));

/** The Directories of one of {@link CLOSURE_FIXTURES}. */
export function closureFixture(names: readonly string[]): Directory[] {
  return names.map((name) => directoryFixture(name).directory);
}

/** For tables of tests: the names and the Directories of every closure of the fixtures. */
export const CLOSURES: readonly { readonly name: string; readonly directories: Directory[] }[] =
  CLOSURE_FIXTURES.map((names) => ({ name: names.join(", "), directories: closureFixture(names) }));

/** `depth` Directories in one another, leaves first, each with `width` names for the one below. */
export function chain(
  depth: number,
  width = 1,
  rule: DirectorySizeRule = "documented",
): Directory[] {
  let directory = directoryOf({ leaf: fileNode(EMPTY_DIGEST, 0n) });
  const directories = [directory];
  while (directories.length < depth) {
    const node = nodeOf(directory, rule);
    const names = Array.from({ length: width }, (_, i) => [`d${i}`, node] as const);
    directory = directoryOf(Object.fromEntries(names));
    directories.push(directory);
  }
  return directories;
}

/** A Directory of so many files, directories and links; the directories are the empty one. */
export function largeDirectory(entries: number): Directory {
  return Directory.fromSortedEntries(
    Array.from({ length: entries }, (_, i): DirectoryEntry => {
      const name = PathComponent.parse(`entry ${String(i).padStart(7, "0")}`);
      if (i % 10 === 0) return { name, node: directoryNode(EMPTY_DIGEST, 0n) };
      return { name, node: fileNode(EMPTY_DIGEST, BigInt(i), i % 2 === 0) };
    }),
  );
}
