/** Most blocks that are kept while nobody uses them. */
const MAX_IDLE_BLOCKS = 12;

/**
 * Blocks of shared memory of one size, to be used again: fresh memory costs the system more than
 * filling it costs us. A block that is not given back is left to the garbage collector.
 */
export class BlockPool {
  readonly #blockBytes: number;
  readonly #idle: SharedArrayBuffer[] = [];

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
  }

  /** A block with whatever it last held; one of its own size when the usual is less than `minBytes`. */
  take(minBytes = 0): Uint8Array<SharedArrayBuffer> {
    if (minBytes > this.#blockBytes) return new Uint8Array(new SharedArrayBuffer(minBytes));
    return new Uint8Array(this.#idle.pop() ?? new SharedArrayBuffer(this.#blockBytes));
  }

  /** Takes back the block that `bytes` is a part of. */
  give({ buffer }: Uint8Array): void {
    const isOurs = buffer instanceof SharedArrayBuffer && buffer.byteLength === this.#blockBytes;
    if (isOurs && this.#idle.length < MAX_IDLE_BLOCKS) this.#idle.push(buffer);
  }
}
