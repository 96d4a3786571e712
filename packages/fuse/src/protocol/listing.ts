import type { DirectoryItem, DirectorySink, Entry } from "../file-system.js";
import { ENTRY_SIZE, encodeEntry, encodeNoEntry } from "./attributes.js";
import { writeUint64 } from "./numbers.js";

/** Bytes of fuse_dirent before the name: `ino, off: u64; namelen, type: u32`. */
const DIRENT_SIZE = 24;

/** Records begin at multiples of 8 bytes (FUSE_REC_ALIGN). */
const ALIGNMENT_MASK = 7;

/** The type in fuse_dirent is this part of st_mode (IFTODT). */
const TYPE_SHIFT = 12;

/**
 * Packs a listing: fuse_dirent for READDIR, fuse_direntplus (fuse_entry_out, fuse_dirent) for READDIRPLUS,
 * each followed by a name and padding.
 */
export class ListingWriter implements DirectorySink {
  readonly wantsEntries: boolean;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #fixedSize: number;
  #used = 0;
  #isFull = false;
  #isClosed = false;

  /** @param buffer - filled up to its end, no further; it may hold anything before */
  constructor(buffer: Uint8Array<ArrayBuffer>, wantsEntries: boolean) {
    this.wantsEntries = wantsEntries;
    this.#bytes = buffer;
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    this.#fixedSize = wantsEntries ? ENTRY_SIZE + DIRENT_SIZE : DIRENT_SIZE;
  }

  /** Bytes of all items so far. */
  get size(): number {
    return this.#used;
  }

  /** Whether not even the first item fits, which must not look like the end of the directory. */
  get isTooSmall(): boolean {
    return this.#isFull && this.#used === 0;
  }

  fits(name: Uint8Array): boolean {
    if (this.#used + this.#recordSize(name) <= this.#bytes.byteLength) return !this.#isClosed;
    this.#isFull = true;
    return false;
  }

  add(item: DirectoryItem, entry?: Entry): void {
    if (!this.fits(item.name)) throw new RangeError("Cannot add an item to a listing: no room");
    let at = this.#used;
    if (this.wantsEntries) {
      if (entry === undefined) encodeNoEntry(this.#view, at);
      else encodeEntry(this.#view, at, entry);
      at += ENTRY_SIZE;
    }
    writeUint64(this.#view, at, item.ino);
    writeUint64(this.#view, at + 8, item.nextOffset);
    this.#view.setUint32(at + 16, item.name.byteLength, true);
    this.#view.setUint32(at + 20, item.type >>> TYPE_SHIFT, true);
    this.#used = this.#writeName(item.name, at + DIRENT_SIZE);
  }

  /** Takes no more items. */
  close(): Uint8Array<ArrayBuffer> {
    this.#isClosed = true;
    return this.#bytes.subarray(0, this.#used);
  }

  /** Byte by byte, since names are short. @returns where the next record begins */
  #writeName(name: Uint8Array, start: number): number {
    const bytes = this.#bytes;
    const length = name.byteLength;
    for (let i = 0; i < length; i++) bytes[start + i] = name[i] as number;
    const end = align(start + length);
    for (let i = start + length; i < end; i++) bytes[i] = 0;
    return end;
  }

  #recordSize(name: Uint8Array): number {
    return align(this.#fixedSize + name.byteLength);
  }
}

function align(size: number): number {
  return (size + ALIGNMENT_MASK) & ~ALIGNMENT_MASK;
}
