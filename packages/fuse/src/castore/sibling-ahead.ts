import type { B3Digest, Directory } from "@tvix/castore";
import { type EntryOrder, fileAt, inodeOrder, LISTED_ORDER } from "./entry-order.js";
import { type Piece, wholePiece } from "./piece.js";

/** Directories in which reading is followed. */
const MAX_DIRECTORIES = 16;

/** How much is fetched ahead in a directory, in bytes: where reading in order begins, and at most. */
const FIRST_WINDOW = 64 * 1024;
const MAX_WINDOW = 1024 * 1024;

/** Most places that are looked at for what to fetch next. */
const MAX_LOOKED_AT = 512;

/** A reader in order may leave out so many entries: others than files, and what the kernel has already. */
const MAX_SKIPPED = 16;

/** Reading in one directory. */
interface Walk {
  readonly directory: Directory;
  /** Orders in which it may go on. */
  readonly orders: readonly EntryOrder[];
  /** The one in which it goes on. */
  order: EntryOrder;
  /** The entry that was read last. */
  last: number;
  /** Files before this place were asked for. */
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
    if (index === walk.last) return [];
    this.#walks.delete(parentSlot);
    this.#walks.set(parentSlot, walk);
    const isOrdered = this.#follows(walk, index);
    const place = walk.order.placeOf(index);
    walk.last = index;
    if (!isOrdered) {
      this.#judge(walk);
      walk.ahead = place + 1;
      return [];
    }
    if (place < walk.ahead) {
      walk.used += size;
      if (walk.asked - walk.used > this.#window / 2) return [];
    } else {
      this.#judge(walk);
    }
    this.#window = Math.min(Math.max(FIRST_WINDOW, this.#window * 2), MAX_WINDOW);
    return this.#next(walk, place);
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
    const byInode = inodeOrder(directory);
    const orders = byInode === undefined ? [LISTED_ORDER] : [LISTED_ORDER, byInode];
    // Whoever reads all begins near the beginning.
    const order = orders.reduce((a, b) => (b.placeOf(index) < a.placeOf(index) ? b : a));
    const place = order.placeOf(index);
    const walk = { directory, orders, order, last: index, ahead: place + 1, asked: 0, used: 0 };
    this.#walks.delete(parentSlot);
    this.#walks.set(parentSlot, walk);
    if (this.#walks.size > MAX_DIRECTORIES) this.#retire();
    return this.#window === 0 ? [] : this.#next(walk, place);
  }

  /** Whether entry `index` comes next in one of the orders, in which the walk goes on then. */
  #follows(walk: Walk, index: number): boolean {
    for (const order of [walk.order, ...walk.orders]) {
      const last = order.placeOf(walk.last);
      const place = order.placeOf(index);
      const end = order === walk.order ? Math.max(walk.ahead, last) : last;
      if (place <= last || place > end + MAX_SKIPPED) continue;
      if (order !== walk.order) {
        this.#judge(walk);
        walk.order = order;
        walk.ahead = place;
      }
      return true;
    }
    return false;
  }

  #retire(): void {
    for (const [parentSlot, walk] of this.#walks) {
      this.#walks.delete(parentSlot);
      this.#judge(walk);
      return;
    }
  }

  /** Learns from what became of what was asked for. */
  #judge(walk: Walk): void {
    if (walk.used * 2 < walk.asked) {
      this.#window = this.#window > FIRST_WINDOW ? Math.floor(this.#window / 4) : 0;
    }
    walk.asked = 0;
    walk.used = 0;
  }

  /** The next files after `place`, as many as there is room for. */
  #next(walk: Walk, place: number): Piece[] {
    const pieces: Piece[] = [];
    let next = Math.max(walk.ahead, place + 1);
    for (const end = next + MAX_LOOKED_AT; next < end; next++) {
      const index = walk.order.indexAt(next);
      if (index < 0 || index >= walk.directory.entries.length) break;
      const node = fileAt(walk.directory, index);
      if (node === undefined || node.size === 0n || node.size > this.#maxFileBytes) continue;
      const size = Number(node.size);
      if (walk.asked - walk.used + size > this.#window && pieces.length > 0) break;
      pieces.push(wholePiece(node.digest, size));
      walk.asked += size;
    }
    walk.ahead = next;
    return pieces;
  }
}
