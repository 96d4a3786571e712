/** Most buffers that wait to be used again. */
const MAX_SPARE = 8;

/**
 * Buffers that are used again and again: kernels ask for listings of 32 KiB and more, and to make, clear and
 * collect so much memory takes longer than to fill it with a few names.
 */
export class SpareBuffers {
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];

  /** Memory of `length` bytes, which may hold anything. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const last = this.#spare.pop();
    return last !== undefined && last.buffer.byteLength >= length
      ? new Uint8Array(last.buffer, 0, length)
      : new Uint8Array(new ArrayBuffer(length));
  }

  /** Takes back what nobody reads or writes any more. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(buffer);
  }
}
