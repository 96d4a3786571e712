import { DIGEST_LENGTH } from "@tvix/castore";

/** Words of 32 bits in a digest. */
export const DIGEST_WORDS: number = DIGEST_LENGTH / 4;

const MIN_SLOTS = 64;

/**
 * What is remembered of each inode, by slot: one array for each property, because objects take several times as
 * much memory. Columns that belong to one kind hold nothing of use for the others.
 */
export class InodeColumns {
  kind: Uint8Array<ArrayBuffer> = new Uint8Array(MIN_SLOTS);
  /** Digests, {@link DIGEST_WORDS} for each slot: of the content, or of the target of a symlink. */
  words: Uint32Array<ArrayBuffer> = new Uint32Array(MIN_SLOTS * DIGEST_WORDS);
  /** In bytes; of a directory, the number of its entries. */
  size: Float64Array<ArrayBuffer> = new Float64Array(MIN_SLOTS);
  /** How often the kernel was told of it, less what it has forgotten. */
  lookups: Float64Array<ArrayBuffer> = new Float64Array(MIN_SLOTS);
  /** How often the slot was used before. */
  generation: Uint32Array<ArrayBuffer> = new Uint32Array(MIN_SLOTS);
  /** Slot of the directory in which a file was seen last; of a free slot, the next free one. */
  parentSlot: Uint32Array<ArrayBuffer> = new Uint32Array(MIN_SLOTS);
  /** Which entry of that directory the file is. Of a directory, its st_nlink. */
  number: Uint32Array<ArrayBuffer> = new Uint32Array(MIN_SLOTS);
  /** Of a directory. */
  ino: Float64Array<ArrayBuffer> = new Float64Array(MIN_SLOTS);
  /** Of a directory, see `DirectoryPosition`. */
  check: Float64Array<ArrayBuffer> = new Float64Array(MIN_SLOTS);
  /** st_ino of the directory above a directory. */
  parentIno: Float64Array<ArrayBuffer> = new Float64Array(MIN_SLOTS);

  get length(): number {
    return this.kind.length;
  }

  /** Makes room for twice as many slots. Memory that was never written to is not taken from the system. */
  grow(): void {
    const length = 2 * this.length;
    this.kind = filled(new Uint8Array(length), this.kind);
    this.words = filled(new Uint32Array(length * DIGEST_WORDS), this.words);
    this.size = filled(new Float64Array(length), this.size);
    this.lookups = filled(new Float64Array(length), this.lookups);
    this.generation = filled(new Uint32Array(length), this.generation);
    this.parentSlot = filled(new Uint32Array(length), this.parentSlot);
    this.number = filled(new Uint32Array(length), this.number);
    this.ino = filled(new Float64Array(length), this.ino);
    this.check = filled(new Float64Array(length), this.check);
    this.parentIno = filled(new Float64Array(length), this.parentIno);
  }
}

interface Column {
  set(from: ArrayLike<number>): void;
}

function filled<T extends Column & ArrayLike<number>>(column: T, from: T): T {
  column.set(from);
  return column;
}
