import { copyInto } from "../shared-copy.js";
import { type ChunkSizes, cutChunks } from "./fastcdc.js";

/**
 * How many bytes are gathered before cutting: several chunks at once, since what remains uncertain
 * at the end is copied and looked at again.
 */
export const CHUNK_BLOCK_BYTES: number = 2 * 1024 * 1024;

/** Consecutive chunks. */
export interface ChunkBatch {
  /** The chunks, one behind the other, at the start of a block that the consumer owns from now on. */
  readonly bytes: Uint8Array;
  /** Length of each chunk; together those of `bytes`. */
  readonly lengths: readonly number[];
}

/** Cuts bytes that arrive in pieces into content-defined chunks; the cuts do not depend on the pieces. */
export class Chunker {
  readonly #sizes: ChunkSizes;
  readonly #allocate: (minBytes: number) => Uint8Array;
  #block: Uint8Array | undefined;
  #filled = 0;

  /**
   * @param allocate - gives memory for the next batch, at least as long as it is asked for and no longer than
   *   `CHUNK_BLOCK_BYTES`
   */
  constructor(
    sizes: ChunkSizes,
    allocate: (minBytes: number) => Uint8Array = (minBytes) => new Uint8Array(minBytes),
  ) {
    if (2 * sizes.max > CHUNK_BLOCK_BYTES) {
      throw new RangeError(
        `Cannot cut chunks of up to ${sizes.max} bytes: a block has ${CHUNK_BLOCK_BYTES}`,
      );
    }
    this.#sizes = sizes;
    this.#allocate = allocate;
  }

  /** Takes a copy of the next piece; yields the chunks that are certain by now. */
  *push(piece: Uint8Array): Generator<ChunkBatch, void, undefined> {
    for (let offset = 0; offset < piece.byteLength; ) {
      const block = this.#reserve(piece.byteLength - offset);
      const part = piece.subarray(offset, offset + block.byteLength - this.#filled);
      copyInto(block, this.#filled, part);
      this.#filled += part.byteLength;
      offset += part.byteLength;
      if (this.#filled === CHUNK_BLOCK_BYTES) yield this.#cut(block, false);
    }
  }

  /** Yields what remains at the end. */
  *finish(): Generator<ChunkBatch, void, undefined> {
    if (this.#block !== undefined && this.#filled > 0) yield this.#cut(this.#block, true);
    this.#block = undefined;
  }

  /** The block, with room for some of the next bytes. Most blobs are short, so it grows with what comes. */
  #reserve(bytes: number): Uint8Array {
    const block = this.#block;
    if (block !== undefined && this.#filled < block.byteLength) return block;
    const wanted = Math.max(this.#filled + bytes, 2 * this.#filled);
    const larger = this.#allocate(Math.min(wanted, CHUNK_BLOCK_BYTES));
    if (block !== undefined) larger.set(block.subarray(0, this.#filled));
    this.#block = larger;
    return larger;
  }

  #cut(block: Uint8Array, last: boolean): ChunkBatch {
    const lengths = cutChunks(block.subarray(0, this.#filled), this.#sizes, last);
    const end = lengths.reduce((sum, length) => sum + length, 0);
    const rest = this.#filled - end;
    if (rest > 0) {
      this.#block = this.#allocate(CHUNK_BLOCK_BYTES);
      this.#block.set(block.subarray(end, this.#filled));
    } else {
      this.#block = undefined;
    }
    this.#filled = rest;
    return { bytes: block.subarray(0, end), lengths };
  }
}
