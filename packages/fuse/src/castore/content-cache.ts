/** Content that was fetched together, and shares memory that goes when all of it does. */
interface Block {
  readonly keys: readonly string[];
  readonly bytes: number;
}

interface Cached {
  readonly content: Uint8Array;
  readonly block: Block;
}

/** Pieces of content in memory, as many as fit: those that were used last. */
export class ContentCache {
  readonly #maxBytes: number;
  readonly #pieces = new Map<string, Cached>();
  /** The one that was used last is at the end. */
  readonly #blocks = new Set<Block>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** What all of it takes, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Uint8Array | undefined {
    const cached = this.#pieces.get(key);
    if (cached === undefined) return undefined;
    this.#blocks.delete(cached.block);
    this.#blocks.add(cached.block);
    return cached.content;
  }

  has(key: string): boolean {
    return this.#pieces.has(key);
  }

  /**
   * Adds pieces whose contents share `bytes` of memory. More than there is room for at all is not kept.
   *
   * @param pieces - by key; those that are there already stay as they are
   */
  add(pieces: ReadonlyMap<string, Uint8Array>, bytes: number): void {
    if (bytes > this.#maxBytes) return;
    const keys = [...pieces.keys()].filter((key) => !this.#pieces.has(key));
    if (keys.length === 0) return;
    const block = { keys, bytes };
    for (const key of keys) {
      this.#pieces.set(key, { content: pieces.get(key) as Uint8Array, block });
    }
    this.#blocks.add(block);
    this.#bytes += bytes;
    for (const old of this.#blocks) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#drop(old);
    }
  }

  clear(): void {
    this.#pieces.clear();
    this.#blocks.clear();
    this.#bytes = 0;
  }

  #drop(block: Block): void {
    this.#blocks.delete(block);
    this.#bytes -= block.bytes;
    for (const key of block.keys) this.#pieces.delete(key);
  }
}
