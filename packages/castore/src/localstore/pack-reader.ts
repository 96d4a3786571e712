import fs from "node:fs";
import path from "node:path";
import { packFileName } from "./pack-files.js";

/**
 * Neighbours are read together, in aligned blocks of this size: an import writes records in the order
 * in which most readers want them, and a call costs as much as 20 KiB of copying.
 */
const BLOCK_BYTES = 256 * 1024;

/** Most blocks in memory: enough for several readers at different places. */
const MAX_BLOCKS = 16;

/** Blocks of which something was read alone; the next read from one of them reads all of it. */
const MAX_NOTED_BLOCKS = 64;

/** Longer ranges are read alone. */
const MAX_BLOCK_RANGE = 32 * 1024;

/** Up to this length they are read with a blocking call if they lie where readers have just been. */
const MAX_BLOCKING_RANGE = 512 * 1024;

/** Most packs that are kept open. */
const MAX_OPEN_PACKS = 64;

/** Block numbers of one pack lie below this. */
const BLOCKS_PER_PACK = 2 ** 32;

/** A pack that is open; its number must not be closed, and given to another file, during a read. */
interface OpenPack {
  readonly fd: number;
  reads: number;
  isRetired: boolean;
}

/** Bytes of a pack. */
export interface PackRange {
  /** As many as there are, at most what was asked for; only valid until the next read. */
  readonly bytes: Uint8Array;
  /** Whether they were in memory already: they may be those of an earlier state of the file. */
  readonly isFromMemory: boolean;
}

/**
 * Reads parts of packs. Short ones with blocking calls, which for files in the page cache take a tenth
 * of the way through the thread pool, and where neighbours are asked for, whole blocks at once.
 */
export class PackReader {
  readonly #directory: string;
  readonly #open = new Map<number, OpenPack>();
  /** By pack and number of the block; the one that was used last is at the end. */
  readonly #blocks = new Map<number, Uint8Array>();
  readonly #noted = new Set<number>();

  constructor(packsDirectory: string) {
    this.#directory = packsDirectory;
  }

  /** @throws the error of the system */
  read(pack: number, offset: number, length: number): PackRange | Promise<PackRange> {
    if (length <= MAX_BLOCK_RANGE) return this.#readShort(pack, offset, length);
    const first = Math.floor(offset / BLOCK_BYTES);
    const last = Math.floor((offset + length - 1) / BLOCK_BYTES);
    const key = pack * BLOCKS_PER_PACK + first;
    const isNeighbour = this.#isNeighbour(key);
    this.#note(key + last - first);
    return isNeighbour && length <= MAX_BLOCKING_RANGE
      ? { bytes: this.readNow(pack, offset, length), isFromMemory: false }
      : this.#readAlone(pack, offset, length);
  }

  #readShort(pack: number, offset: number, length: number): PackRange {
    const first = Math.floor(offset / BLOCK_BYTES);
    const last = Math.floor((offset + length - 1) / BLOCK_BYTES);
    const key = pack * BLOCKS_PER_PACK + first;
    if (!this.#isNeighbour(key)) {
      this.#note(key);
      return { bytes: this.readNow(pack, offset, length), isFromMemory: false };
    }
    const start = offset - first * BLOCK_BYTES;
    const head = this.#block(pack, first, Math.min(start + length, BLOCK_BYTES));
    if (last === first) {
      const bytes = head.bytes.subarray(start, start + length);
      return { bytes, isFromMemory: head.isFromMemory };
    }
    const tailLength = start + length - BLOCK_BYTES;
    const tail = this.#block(pack, last, tailLength);
    const bytes = new Uint8Array(length);
    bytes.set(head.bytes.subarray(start));
    bytes.set(tail.bytes.subarray(0, tailLength), BLOCK_BYTES - start);
    const filled = Math.max(0, head.bytes.byteLength - start) + tail.bytes.byteLength;
    return {
      bytes: bytes.subarray(0, filled),
      isFromMemory: head.isFromMemory || tail.isFromMemory,
    };
  }

  /** Whether readers have just been in that block, or in the one before it. */
  #isNeighbour(key: number): boolean {
    return this.#blocks.has(key) || this.#blocks.has(key - 1) || this.#noted.delete(key);
  }

  /** Reads from the file itself, into memory of its own, and blocks. */
  readNow(pack: number, offset: number, length: number): Uint8Array {
    return this.readInto(new Uint8Array(length), pack, offset);
  }

  /**
   * Fills several arrays, one after the other, from `offset` on, and blocks.
   *
   * @returns whether the pack has so many bytes there
   * @throws the error of the system
   */
  readFully(parts: readonly Uint8Array[], pack: number, offset: number): boolean {
    const { fd } = this.#packOf(pack);
    const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
    if (fs.readvSync(fd, parts, offset) === length) return true;
    // It may have been interrupted.
    let at = offset;
    for (const part of parts) {
      if (this.readInto(part, pack, at).byteLength < part.byteLength) return false;
      at += part.byteLength;
    }
    return true;
  }

  /**
   * Fills `bytes` from `offset` on, as far as there is something, and blocks.
   *
   * @returns that part of it
   * @throws the error of the system
   */
  readInto(bytes: Uint8Array, pack: number, offset: number): Uint8Array {
    const { fd } = this.#packOf(pack);
    const length = bytes.byteLength;
    let filled = 0;
    while (filled < length) {
      const count = fs.readSync(fd, bytes, filled, length - filled, offset + filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  }

  /** Closes the packs, those that are being read as soon as that is done. */
  close(): void {
    for (const pack of this.#open.values()) retire(pack);
    this.#open.clear();
    this.#blocks.clear();
    this.#noted.clear();
  }

  /** A block of which the first `needed` bytes are wanted. */
  #block(pack: number, number: number, needed: number): PackRange {
    const key = pack * BLOCKS_PER_PACK + number;
    const known = this.#blocks.get(key);
    this.#blocks.delete(key);
    // A block at the end of a pack was short, and the pack may have grown.
    const isFromMemory = known !== undefined && known.byteLength >= needed;
    const bytes = isFromMemory ? known : this.#readBlock(pack, number);
    this.#blocks.set(key, bytes);
    return { bytes, isFromMemory };
  }

  #readBlock(pack: number, number: number): Uint8Array {
    const memory = this.#takeOldest() ?? new Uint8Array(BLOCK_BYTES);
    return this.readInto(memory, pack, number * BLOCK_BYTES);
  }

  /** The memory of the block that was not used for longest, when there are enough of them. */
  #takeOldest(): Uint8Array | undefined {
    if (this.#blocks.size < MAX_BLOCKS) return undefined;
    for (const [key, { buffer }] of this.#blocks) {
      this.#blocks.delete(key);
      return new Uint8Array(buffer);
    }
    return undefined;
  }

  #note(key: number): void {
    this.#noted.add(key);
    dropOldest(this.#noted, MAX_NOTED_BLOCKS);
  }

  async #readAlone(pack: number, offset: number, length: number): Promise<PackRange> {
    const open = this.#packOf(pack);
    const bytes = new Uint8Array(length);
    open.reads++;
    try {
      let filled = 0;
      while (filled < length) {
        const count = await readAsync(open.fd, bytes, filled, offset + filled);
        if (count === 0) break;
        filled += count;
      }
      return { bytes: bytes.subarray(0, filled), isFromMemory: false };
    } finally {
      open.reads--;
      if (open.isRetired) retire(open);
    }
  }

  #packOf(id: number): OpenPack {
    const known = this.#open.get(id);
    if (known !== undefined) return known;
    const fd = fs.openSync(path.join(this.#directory, packFileName(id)), "r");
    const pack = { fd, reads: 0, isRetired: false };
    this.#open.set(id, pack);
    const [oldest] = this.#open;
    if (this.#open.size > MAX_OPEN_PACKS && oldest !== undefined) {
      this.#open.delete(oldest[0]);
      retire(oldest[1]);
    }
    return pack;
  }
}

function dropOldest<K>(kept: Map<K, unknown> | Set<K>, limit: number): void {
  for (const key of kept.keys()) {
    if (kept.size <= limit) return;
    kept.delete(key);
  }
}

function retire(pack: OpenPack): void {
  pack.isRetired = true;
  if (pack.reads === 0) fs.closeSync(pack.fd);
}

function readAsync(
  fd: number,
  bytes: Uint8Array,
  offset: number,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, bytes, offset, bytes.byteLength - offset, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}
