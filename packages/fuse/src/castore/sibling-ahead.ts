import type { B3Digest, Directory, FileNode } from "@tvix/castore";
import { type Piece, wholePiece } from "./piece.js";

/** Directories in which reading is followed. */
const MAX_DIRECTORIES = 16;

/** How much is fetched ahead in a directory, in bytes: where reading in order begins, and at most. */
const FIRST_WINDOW = 64 * 1024;
const MAX_WINDOW = 1024 * 1024;

/** Most entries that are looked at for what to fetch next. */
const MAX_ENTRIES = 512;

/** Reading in one directory. */
interface Walk {
  readonly directory: Directory;
  /** The entry that was read last. */
  last: number;
  /** Entries before this one were asked for. */
  ahead: number;
  /** Of what was asked for, in bytes, and how much of it has been read. */
  asked: number;
  used: number;
}

/** Where a file is. */
export interface FilePlace {
  /** By which the directory is known. */
  readonly parentSlot: number;
  /** Which entry of the directory the file is. */
  readonly index: number;
}

/**
 * Recognises when the small files of directories are read in order, as tar(1) and grep(1) do, and says which to fetch
 * ahead: many files that are fetched together take a fraction of the time of one at a time.
 *
 * How much that is depends on what became of it before, in this directory and in others: it doubles as long as it
 * is read, and shrinks where it is not.
 */
export class SiblingAhead {
  readonly #maxFileBytes: number;
  readonly #directoryOf: (parentSlot: number) => Directory | undefined;
  /** By slot of the directory; the one that was read last is at the end. */
  readonly #walks = new Map<number, Walk>();
  /** How much is fetched ahead, in bytes; 0 as long as nothing is read in order. */
  #window = 0;

  /**
   * @param maxFileBytes - length of the longest file that is fetched whole
   * @param directoryOf - the Directory in a slot, if it is one and at hand
   */
  constructor(maxFileBytes: number, directoryOf: (parentSlot: number) => Directory | undefined) {
    this.#maxFileBytes = maxFileBytes;
    this.#directoryOf = directoryOf;
  }

  /** Takes note of a file that is read. @returns which others to fetch, in order */
  note(digest: B3Digest, size: number, { parentSlot, index }: FilePlace): Piece[] {
    const walk = this.#walks.get(parentSlot);
    if (walk === undefined || fileAt(walk.directory, index)?.digest.equals(digest) !== true) {
      return this.#begin(digest, parentSlot, index);
    }
    if (index <= walk.last) {
      // Somebody else, or from the beginning: no order that could be followed.
      if (index < walk.last) this.#restart(walk, index);
      return [];
    }
    this.#walks.delete(parentSlot);
    this.#walks.set(parentSlot, walk);
    walk.last = index;
    if (index < walk.ahead) {
      walk.used += size;
      if (walk.asked - walk.used > this.#window / 2) return [];
    } else {
      this.#judge(walk);
    }
    this.#window = Math.min(Math.max(FIRST_WINDOW, this.#window * 2), MAX_WINDOW);
    return this.#next(walk);
  }

  /** Forgets all directories. */
  clear(): void {
    this.#walks.clear();
    this.#window = 0;
  }

  #begin(digest: B3Digest, parentSlot: number, index: number): Piece[] {
    const directory = this.#directoryOf(parentSlot);
    // The slot may have been given to another directory.
    if (directory === undefined || fileAt(directory, index)?.digest.equals(digest) !== true) {
      return [];
    }
    const walk = { directory, last: index, ahead: index + 1, asked: 0, used: 0 };
    this.#walks.delete(parentSlot);
    this.#walks.set(parentSlot, walk);
    if (this.#walks.size > MAX_DIRECTORIES) this.#retire();
    return this.#window === 0 ? [] : this.#next(walk);
  }

  #retire(): void {
    for (const [parentSlot, walk] of this.#walks) {
      this.#walks.delete(parentSlot);
      this.#judge(walk);
      return;
    }
  }

  #restart(walk: Walk, index: number): void {
    this.#judge(walk);
    walk.last = index;
    walk.ahead = index + 1;
  }

  /** Learns from what became of what was asked for. */
  #judge(walk: Walk): void {
    if (walk.used * 2 < walk.asked) {
      this.#window = this.#window > FIRST_WINDOW ? Math.floor(this.#window / 4) : 0;
    }
    walk.asked = 0;
    walk.used = 0;
  }

  /** The next files, as many as there is room for. */
  #next(walk: Walk): Piece[] {
    const { entries } = walk.directory;
    const pieces: Piece[] = [];
    let i = Math.max(walk.ahead, walk.last + 1);
    const end = Math.min(entries.length, i + MAX_ENTRIES);
    for (; i < end; i++) {
      const node = fileAt(walk.directory, i);
      if (node === undefined || node.size === 0n || node.size > this.#maxFileBytes) continue;
      const size = Number(node.size);
      if (walk.asked - walk.used + size > this.#window && pieces.length > 0) break;
      pieces.push(wholePiece(node.digest, size));
      walk.asked += size;
    }
    walk.ahead = i;
    return pieces;
  }
}

function fileAt(directory: Directory, index: number): FileNode | undefined {
  const node = directory.entries[index]?.node;
  return node?.type === "file" ? node : undefined;
}
