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
  readonly #allocate: () => Uint8Array;
  #block: Uint8Array | undefined;
  #filled = 0;

  /** @param allocate - gives a block of memory, `CHUNK_BLOCK_BYTES` long, for the next batch */
  constructor(
    sizes: ChunkSizes,
    allocate: () => Uint8Array = () => new Uint8Array(CHUNK_BLOCK_BYTES),
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
      this.#block ??= this.#allocate();
      const part = piece.subarray(offset, offset + CHUNK_BLOCK_BYTES - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.byteLength;
      offset += part.byteLength;
      if (this.#filled === CHUNK_BLOCK_BYTES) yield this.#cut(this.#block, false);
    }
  }

  /** Yields what remains at the end. */
  *finish(): Generator<ChunkBatch, void, undefined> {
    if (this.#block !== undefined && this.#filled > 0) yield this.#cut(this.#block, true);
    this.#block = undefined;
  }

  #cut(block: Uint8Array, last: boolean): ChunkBatch {
    const lengths = cutChunks(block.subarray(0, this.#filled), this.#sizes, last);
    const end = lengths.reduce((sum, length) => sum + length, 0);
    const rest = this.#filled - end;
    if (rest > 0) {
      this.#block = this.#allocate();
      this.#block.set(block.subarray(end, this.#filled));
    } else {
      this.#block = undefined;
    }
    this.#filled = rest;
    return { bytes: block.subarray(0, end), lengths };
  }
}
