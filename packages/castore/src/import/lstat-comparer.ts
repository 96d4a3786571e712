import fs from "node:fs";
import { type RawPath, toFsPath } from "./raw-path.js";
import type { StatComparer } from "./stat-comparer.js";
import { isSameStat, leafName, leafStatOffset, type StatRecord } from "./stat-record.js";

/** With an `lstat` for each entry, on every platform. */
export class LstatComparer implements StatComparer {
  #path: RawPath = "";
  #record: StatRecord | undefined;

  enter(path: RawPath, record: StatRecord): boolean {
    this.#path = path;
    this.#record = record;
    return isDirectorySame(path, record);
  }

  isSame(leaf: number): boolean {
    return this.#record !== undefined && isLeafSame(this.#path, this.#record, leaf);
  }

  [Symbol.dispose](): void {
    this.#record = undefined;
  }
}

/** Whether `lstat` finds the directory at `path` to be as its record says. */
export function isDirectorySame(path: RawPath, record: StatRecord): boolean {
  return matches(path, record, record.statOffset);
}

/** The same for a file or link in it; see {@link StatComparer.isSame}. */
export function isLeafSame(parent: RawPath, record: StatRecord, leaf: number): boolean {
  const prefix = parent === "/" ? "/" : `${parent}/`;
  return matches(prefix + leafName(record, leaf), record, leafStatOffset(record, leaf));
}

function matches(path: RawPath, record: StatRecord, offset: number): boolean {
  let stat: fs.BigIntStats | undefined;
  try {
    stat = fs.lstatSync(toFsPath(path), { bigint: true, throwIfNoEntry: false });
  } catch {
    // Whatever is the matter, reading the tree will tell.
    return false;
  }
  return stat !== undefined && isSameStat(stat, record.view, offset);
}
