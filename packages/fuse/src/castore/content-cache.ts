import { LastUsed } from "@tvix/castore";

/** A piece of content. */
interface Cached {
  readonly content: Uint8Array;
  readonly block: Block;
  /** How many bytes of it have been given to readers. */
  served: number;
}

/** Memory with pieces in it. It is kept as long as one of them is. */
interface Block {
  readonly bytes: number;
  readonly keys: Set<string>;
  readonly onDrop: () => void;
}

/**
 * Pieces of content in memory, as many as fit: those that were used last. A piece that has been read in full is
 * dropped, since the kernel keeps what it has read.
 */
export class ContentCache {
  readonly #maxBytes: number;
  readonly #pieces = new Map<string, Cached>();
  readonly #blocks: LastUsed<Block, Block>;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#blocks = new LastUsed(
      maxBytes,
      ({ bytes }) => bytes,
      (block) => this.#drop(block),
    );
  }

  /** How many bytes there are. */
  get bytes(): number {
    return this.#blocks.weight;
  }

  /** A piece of which `bytes` are given to a reader now. */
  serve(key: string, bytes: number): Uint8Array | undefined {
    const cached = this.#pieces.get(key);
    if (cached === undefined) return undefined;
    const { content, block } = cached;
    cached.served += bytes;
    this.#blocks.get(block);
    if (cached.served >= content.byteLength) this.#deletePiece(key, block);
    return content;
  }

  has(key: string): boolean {
    return this.#pieces.has(key);
  }

  /** Adds a piece that is not there. One that is longer than all there is room for is not kept. */
  add(key: string, content: Uint8Array): void {
    this.addBlock([[key, content]], content.byteLength, () => {});
  }

  /**
   * {@link add} for pieces that lie in one piece of memory.
   *
   * @param bytes - length of that memory
   * @param onDrop - called when none of them is kept any more
   * @returns whether any is kept; `onDrop` is not called otherwise
   */
  addBlock(
    pieces: Iterable<readonly [key: string, content: Uint8Array]>,
    bytes: number,
    onDrop: () => void,
  ): boolean {
    if (bytes > this.#maxBytes) return false;
    const block: Block = { bytes, keys: new Set(), onDrop };
    for (const [key, content] of pieces) {
      if (this.#pieces.has(key)) continue;
      this.#pieces.set(key, { content, block, served: 0 });
      block.keys.add(key);
    }
    if (block.keys.size === 0) return false;
    this.#blocks.add(block, block);
    return true;
  }

  clear(): void {
    this.#pieces.clear();
    this.#blocks.clear();
  }

  #deletePiece(key: string, block: Block): void {
    this.#pieces.delete(key);
    block.keys.delete(key);
    if (block.keys.size > 0) return;
    this.#blocks.delete(block);
    block.onDrop();
  }

  #drop({ keys, onDrop }: Block): void {
    for (const key of keys) this.#pieces.delete(key);
    onDrop();
  }
}
