/** Length of a piece of memory that is used again, in bytes. Longer ones are rare. */
const REUSED_BYTES = 1024 * 1024;

/** Most pieces of memory that wait for their next use. */
const MAX_IDLE = 8;

/**
 * Shared memory into which content is filled, and out of which it is copied. It is used again and again: the garbage
 * collector of V8 does not know how much it would win by looking for shared memory.
 */
export class FillMemory {
  readonly #idle: SharedArrayBuffer[] = [];

  /** Memory of at least `bytes`. */
  take(bytes: number): SharedArrayBuffer {
    if (bytes > REUSED_BYTES) return new SharedArrayBuffer(bytes);
    return this.#idle.pop() ?? new SharedArrayBuffer(REUSED_BYTES);
  }

  /** Takes back memory that nobody looks at any more. */
  give(memory: SharedArrayBuffer): void {
    if (memory.byteLength === REUSED_BYTES && this.#idle.length < MAX_IDLE) this.#idle.push(memory);
  }
}
