/** Room for framing behind content that fills a block of its own. */
const FRAMING_BYTES = 32 * 1024;

/** Length of the first block: most NARs are small. */
const FIRST_BLOCK_BYTES = 64 * 1024;

/** How blocks are made. */
export interface BlockMemoryOptions {
  /** Whether threads can write to them. They are used again then. */
  readonly isShared: boolean;
  /** Length of a block. */
  readonly blockBytes: number;
  /** Most blocks that are kept while nobody uses them. */
  readonly maxIdle: number;
}

/** Blocks of memory. Fresh memory costs the system as much as writing to it twice. */
export class BlockMemory {
  readonly #options: BlockMemoryOptions;
  readonly #idle: Uint8Array[] = [];
  #isFirst = true;

  constructor(options: BlockMemoryOptions) {
    this.#options = options;
  }

  /** A block with whatever it last held; a larger one where that is not enough. */
  take(minBytes: number): Uint8Array {
    const { blockBytes } = this.#options;
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (minBytes > blockBytes) return this.#make(minBytes + FRAMING_BYTES);
    if (isFirst) return this.#make(Math.min(blockBytes, FIRST_BLOCK_BYTES));
    return this.#idle.pop() ?? this.#make(blockBytes);
  }

  /** Takes back a block. */
  give(block: Uint8Array): void {
    const { isShared, blockBytes, maxIdle } = this.#options;
    const isUsable = isShared && block.byteLength === blockBytes && this.#idle.length < maxIdle;
    if (isUsable) this.#idle.push(block);
  }

  #make(length: number): Uint8Array {
    return this.#options.isShared
      ? new Uint8Array(new SharedArrayBuffer(length))
      : new Uint8Array(length);
  }
}
