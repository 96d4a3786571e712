import type { Directory, FileNode } from "@tvix/castore";
import { ROOT_NODE_ID } from "../file-system.js";
import { entryInode } from "./inode-number.js";

/**
 * Programs that walk trees with fts(3) of gnulib (grep, find, du, ...) visit directories with more entries than this in
 * the order of their inode numbers.
 */
const SORTED_BY_INODE = 10_000;

/** To sort more would keep everybody waiting. */
const MAX_SORTED = 131_072;

/** An order in which the files of a directory may be read. */
export interface EntryOrder {
  /** The place of entry `index`; -1 where that is no file. */
  placeOf(index: number): number;
  /** The entry at a place; -1 behind the last one. */
  indexAt(place: number): number;
}

/** Files in the order of a listing, which has directories and symlinks between them. */
export const LISTED_ORDER: EntryOrder = {
  placeOf: (index) => index,
  indexAt: (place) => place,
};

/** The order of inode numbers, for directories in which somebody may read in that order. */
export function inodeOrder(directory: Directory): EntryOrder | undefined {
  const { entries } = directory;
  if (entries.length <= SORTED_BY_INODE || entries.length > MAX_SORTED) return undefined;
  const numbers = new Float64Array(entries.length);
  const files: number[] = [];
  for (const [index, entry] of entries.entries()) {
    if (entry.node.type !== "file") continue;
    // Numbers of files do not depend on the directory.
    numbers[index] = entryInode(ROOT_NODE_ID, entry);
    files.push(index);
  }
  files.sort((a, b) => (numbers[a] as number) - (numbers[b] as number));
  const places = new Int32Array(entries.length).fill(-1);
  for (const [place, index] of files.entries()) places[index] = place;
  return {
    placeOf: (index) => places[index] ?? -1,
    indexAt: (place) => files[place] ?? -1,
  };
}

/** The file at entry `index`, if it is one. */
export function fileAt(directory: Directory, index: number): FileNode | undefined {
  const node = directory.entries[index]?.node;
  return node?.type === "file" ? node : undefined;
}
