import { LastUsed } from "@tvix/castore";

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
  readonly #pieces: LastUsed<string, Cached>;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#pieces = new LastUsed(maxBytes, ({ content }) => content.byteLength);
  }

  /** How many bytes there are. */
  get bytes(): number {
    return this.#pieces.weight;
  }

  /** A piece of which `bytes` are given to a reader now. */
  serve(key: string, bytes: number): Uint8Array | undefined {
    const cached = this.#pieces.get(key);
    if (cached === undefined) return undefined;
    cached.served += bytes;
    if (cached.served >= cached.content.byteLength) this.#pieces.delete(key);
    return cached.content;
  }

  has(key: string): boolean {
    return this.#pieces.has(key);
  }

  /** Adds a piece that is not there. One that is longer than all there is room for is not kept. */
  add(key: string, content: Uint8Array): void {
    if (content.byteLength > this.#maxBytes || this.#pieces.has(key)) return;
    this.#pieces.add(key, { content, served: 0 });
  }

  clear(): void {
    this.#pieces.clear();
  }
}
