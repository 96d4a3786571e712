/**
 * Length of a block. It bounds what one small value can keep alive, and 32 digests to a block make
 * the cost of a typed array (some 200 bytes and most of the time) next to nothing each.
 */
const BLOCK_LENGTH = 1024;

/**
 * Places small immutable values next to each other in shared blocks. A directory of 100,000 entries
 * is as many names and digests; with a typed array each, garbage collection takes more time than
 * all the rest of decoding. Blocks must never be handed out to others.
 *
 * @internal
 */
export class BlockAllocator {
  #block: Uint8Array = new Uint8Array(BLOCK_LENGTH);
  #used = 0;

  /** The block that the last {@link copy} went to. */
  get block(): Uint8Array {
    return this.#block;
  }

  /**
   * Copies bytes `start` to `end` of `source` into {@link block}, a new one when they do not fit.
   *
   * @returns where they start there
   */
  copy(source: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length > BLOCK_LENGTH - this.#used) {
      this.#block = new Uint8Array(Math.max(BLOCK_LENGTH, length));
      this.#used = 0;
    }
    const offset = this.#used;
    // Faster than `set`, which needs a view of the part, up to some hundred bytes.
    for (let i = 0; i < length; i++) this.#block[offset + i] = source[start + i] as number;
    this.#used += length;
    return offset;
  }
}
