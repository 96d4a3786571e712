import { concatBytes } from "../bytes.js";
import { type ChunkSizes, cutChunks } from "./fastcdc.js";

/**
 * How many bytes are gathered before cutting: a few chunks at once, since what remains uncertain at
 * the end is looked at again.
 */
const GATHER_BYTES = 1024 * 1024;

/** Cuts bytes that arrive in pieces into content-defined chunks; the cuts do not depend on the pieces. */
export class Chunker {
  readonly #sizes: ChunkSizes;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  constructor(sizes: ChunkSizes) {
    this.#sizes = sizes;
  }

  /**
   * Takes the next piece; keeps views of it until the chunks that it is part of are given out.
   *
   * @returns the chunks that are certain by now; they may be views of the pieces
   */
  push(piece: Uint8Array): Uint8Array[] {
    if (piece.byteLength === 0) return [];
    this.#pending.push(piece);
    this.#pendingBytes += piece.byteLength;
    return this.#pendingBytes < Math.max(GATHER_BYTES, this.#sizes.max) ? [] : this.#cut(false);
  }

  /** @returns the chunks that remain at the end */
  finish(): Uint8Array[] {
    return this.#pendingBytes === 0 ? [] : this.#cut(true);
  }

  #cut(last: boolean): Uint8Array[] {
    const bytes = this.#pending.length === 1 ? (this.#pending[0] as Uint8Array) : concatBytes(this.#pending);
    const chunks: Uint8Array[] = [];
    let offset = 0;
    for (const length of cutChunks(bytes, this.#sizes, last)) {
      chunks.push(bytes.subarray(offset, offset + length));
      offset += length;
    }
    const rest = bytes.subarray(offset);
    this.#pending = rest.byteLength === 0 ? [] : [rest];
    this.#pendingBytes = rest.byteLength;
    return chunks;
  }
}
