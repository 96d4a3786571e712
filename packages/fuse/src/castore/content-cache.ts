/** A piece of content. */
interface Cached {
  readonly content: Uint8Array;
  /** How many bytes of it have been given to readers. */
  served: number;
}

/**
 * Pieces of content in memory, as many as fit: those that were used last. A piece that has been read in full is
 * dropped, since the kernel keeps what it has read.
 */
export class ContentCache {
  readonly #maxBytes: number;
  /** By key; the one that was used last is at the end. */
  readonly #pieces = new Map<string, Cached>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How many bytes there are. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A piece of which `bytes` are given to a reader now. */
  serve(key: string, bytes: number): Uint8Array | undefined {
    const cached = this.#pieces.get(key);
    if (cached === undefined) return undefined;
    cached.served += bytes;
    this.#pieces.delete(key);
    if (cached.served >= cached.content.byteLength) this.#bytes -= cached.content.byteLength;
    else this.#pieces.set(key, cached);
    return cached.content;
  }

  has(key: string): boolean {
    return this.#pieces.has(key);
  }

  /** Adds a piece that is not there. One that is longer than all there is room for is not kept. */
  add(key: string, content: Uint8Array): void {
    const { byteLength } = content;
    if (byteLength > this.#maxBytes || this.#pieces.has(key)) return;
    this.#bytes += byteLength;
    for (const [oldKey, old] of this.#pieces) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#pieces.delete(oldKey);
      this.#bytes -= old.content.byteLength;
    }
    this.#pieces.set(key, { content, served: 0 });
  }

  clear(): void {
    this.#pieces.clear();
    this.#bytes = 0;
  }
}
