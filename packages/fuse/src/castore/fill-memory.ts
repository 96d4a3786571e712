/** Length of a piece of memory that is used again, in bytes. Longer ones are rare. */
const REUSED_BYTES = 1024 * 1024;

/** Most pieces of memory that wait for their next use. */
const MAX_IDLE = 16;

/**
 * Shared memory into which content is filled. It is used again and again: memory that was never used before costs as
 * much as filling it, and the garbage collector of V8 does not know how much it would win by looking for shared
 * memory.
 */
export class FillMemory {
  readonly #idle: SharedArrayBuffer[] = [];
  /** Given back in this turn of the event loop. */
  #resting: SharedArrayBuffer[] = [];

  /** Memory of at least `bytes`. */
  take(bytes: number): SharedArrayBuffer {
    if (bytes > REUSED_BYTES) return new SharedArrayBuffer(bytes);
    return this.#idle.pop() ?? new SharedArrayBuffer(REUSED_BYTES);
  }

  /** Takes back memory that nobody looks at any more after this turn of the event loop. */
  give(memory: SharedArrayBuffer): void {
    if (memory.byteLength !== REUSED_BYTES) return;
    if (this.#resting.length === 0) setImmediate(() => this.#wake());
    this.#resting.push(memory);
  }

  #wake(): void {
    this.#idle.push(...this.#resting.slice(0, MAX_IDLE - this.#idle.length));
    this.#resting = [];
  }
}
