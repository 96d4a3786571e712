/** Room for framing behind content that fills a block of its own. */
const FRAMING_BYTES = 32 * 1024;

/** Length of the first block: most NARs are small. */
const FIRST_BLOCK_BYTES = 64 * 1024;

/** What may be kept of blocks that no NAR uses at the moment, in all. */
const MAX_SPARE_BYTES = 16 * 1024 * 1024;

/** How blocks are made. */
export interface BlockMemoryOptions {
  /** Whether threads can write to them. They are used again then. */
  readonly isShared: boolean;
  /** Length of a block. */
  readonly blockBytes: number;
}

/**
 * Shared blocks that are used again, by whichever NAR is next. Fresh memory costs the system as much as writing to
 * it twice.
 */
class SpareBlocks {
  readonly #byLength = new Map<number, Uint8Array[]>();
  #bytes = 0;

  take(length: number): Uint8Array {
    const spare = this.#byLength.get(length)?.pop();
    if (spare === undefined) return new Uint8Array(new SharedArrayBuffer(length));
    this.#bytes -= length;
    return spare;
  }

  give(block: Uint8Array): void {
    const length = block.byteLength;
    if (this.#bytes + length > MAX_SPARE_BYTES) return;
    this.#bytes += length;
    const spare = this.#byLength.get(length);
    if (spare === undefined) this.#byLength.set(length, [block]);
    else spare.push(block);
  }
}

const SPARE = new SpareBlocks();

/** Blocks of memory for one NAR. */
export class BlockMemory {
  readonly #options: BlockMemoryOptions;
  #isFirst = true;

  constructor(options: BlockMemoryOptions) {
    this.#options = options;
  }

  /** A block with whatever it last held; a larger one where that is not enough. */
  take(minBytes: number): Uint8Array {
    const { blockBytes } = this.#options;
    const firstBytes = Math.min(blockBytes, FIRST_BLOCK_BYTES);
    const isFirst = this.#isFirst && minBytes <= firstBytes;
    this.#isFirst = false;
    if (isFirst) return this.#make(firstBytes);
    return this.#make(minBytes > blockBytes ? minBytes + FRAMING_BYTES : blockBytes);
  }

  /** Takes back a block that nobody looks at any more. */
  give(block: Uint8Array): void {
    const { isShared, blockBytes } = this.#options;
    // One that is longer was made for one large file.
    if (isShared && block.byteLength <= blockBytes) SPARE.give(block);
  }

  #make(length: number): Uint8Array {
    return this.#options.isShared ? SPARE.take(length) : new Uint8Array(length);
  }
}
