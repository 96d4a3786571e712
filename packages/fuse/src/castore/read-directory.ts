import type { Directory, DirectoryEntry } from "@tvix/castore";
import { type DirectorySink, type Entry, FILE_TYPE } from "../file-system.js";
import { entryInode } from "./inode-number.js";
import type { ParentDirectory } from "./node-entries.js";

/** Items before the entries: `.` and `..`. The offset of an item is its number, from 1 on. */
export const DOT_ITEMS = 2;

const DOT = new Uint8Array([0x2e]);
const DOT_DOT = new Uint8Array([0x2e, 0x2e]);

/** A directory that is listed. */
export interface ListedDirectory extends ParentDirectory {
  /** st_ino of the directory above. */
  readonly parentIno: number;
}

/** Remembers an entry for the kernel; `undefined` where that cannot be done at once. */
export type EnterListed = (entry: DirectoryEntry, index: number) => Entry | undefined;

/**
 * Gives `sink` those of `.` and `..` that come after `offset`.
 *
 * @returns whether there is room for more
 */
export function addDots(
  { ino, parentIno }: ListedDirectory,
  offset: number,
  sink: DirectorySink,
): boolean {
  const type = FILE_TYPE.DIRECTORY;
  if (offset < 1) {
    if (!sink.fits(DOT)) return false;
    sink.add({ name: DOT, ino, type, nextOffset: 1 });
  }
  if (offset < 2) {
    if (!sink.fits(DOT_DOT)) return false;
    sink.add({ name: DOT_DOT, ino: parentIno, type, nextOffset: 2 });
  }
  return true;
}

/**
 * Gives `sink` entry number `index`.
 *
 * @returns whether it fitted
 */
export function addEntry(
  listed: ListedDirectory,
  entry: DirectoryEntry,
  index: number,
  sink: DirectorySink,
  enter: EnterListed,
): boolean {
  const name = entry.name.toBytes();
  if (!sink.fits(name)) return false;
  const entered = sink.wantsEntries ? enter(entry, index) : undefined;
  const item = {
    name,
    ino: entered?.attributes?.ino ?? entryInode(listed.ino, entry),
    type: TYPE_OF[entry.node.type],
    nextOffset: index + DOT_ITEMS + 1,
  };
  sink.add(item, entered);
  return true;
}

/** Gives `sink` the items of a Directory after `offset`, as many as fit. */
export function readDirectory(
  listed: ListedDirectory,
  directory: Directory,
  offset: number,
  sink: DirectorySink,
  enter: EnterListed,
): void {
  if (!addDots(listed, offset, sink)) return;
  const { entries } = directory;
  for (let i = Math.max(0, offset - DOT_ITEMS); i < entries.length; i++) {
    const entry = entries[i];
    if (entry === undefined || !addEntry(listed, entry, i, sink, enter)) return;
  }
}

const TYPE_OF = {
  directory: FILE_TYPE.DIRECTORY,
  file: FILE_TYPE.REGULAR,
  symlink: FILE_TYPE.SYMLINK,
} as const;
