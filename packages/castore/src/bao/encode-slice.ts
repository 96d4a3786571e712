import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { provedNodes, type TreeParents } from "./outboard.js";
import { encodeLength, type SliceRange, TreeShape } from "./tree-shape.js";

/** How much of a slice is given out together. */
const BLOCK_BYTES: number = 256 * 1024;

/** The bytes of an input from `start` up to `end`, in pieces. */
export type ReadContent = (start: number, end: number) => AsyncIterable<Uint8Array>;

/**
 * A slice: the bytes of the groups that `range` touches, with the nodes of the tree that prove them. Format:
 * docs/formats/outboard.md. The nodes are compared with the digest before they are given out; the content
 * is not.
 *
 * @throws {@link CastoreError} "CORRUPT" when the tree is not that of the digest, or the content ends early
 */
export async function* encodeSlice(
  tree: TreeParents,
  digest: B3Digest,
  range: SliceRange,
  read: ReadContent,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const shape = new TreeShape(tree.length, tree.groupLog);
  const wanted = shape.groupsIn(range);
  const content = new ContentCutter(
    read(wanted.first * shape.groupBytes, shape.endOf(wanted)),
    digest,
  );
  const block = new Block();
  try {
    yield* block.add(encodeLength(tree.length));
    for await (const node of provedNodes(tree, digest, wanted, signal)) {
      if (node.parent !== undefined) {
        yield* block.add(node.parent);
        continue;
      }
      const length = shape.endOf(node) - node.first * shape.groupBytes;
      for await (const part of content.next(length)) yield* block.add(part);
    }
    yield* block.rest();
  } finally {
    await content.close();
  }
}

/** Gathers small parts into blocks. */
class Block {
  #bytes = new Uint8Array(BLOCK_BYTES);
  #filled = 0;

  *add(part: Uint8Array): Generator<Uint8Array, void, undefined> {
    for (let at = 0; at < part.byteLength; ) {
      const fits = part.subarray(at, at + BLOCK_BYTES - this.#filled);
      this.#bytes.set(fits, this.#filled);
      this.#filled += fits.byteLength;
      at += fits.byteLength;
      if (this.#filled < BLOCK_BYTES) continue;
      yield this.#bytes;
      this.#bytes = new Uint8Array(BLOCK_BYTES);
      this.#filled = 0;
    }
  }

  *rest(): Generator<Uint8Array, void, undefined> {
    if (this.#filled > 0) yield this.#bytes.subarray(0, this.#filled);
  }
}

/** Takes a stream apart at the borders of groups. */
class ContentCutter {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #digest: B3Digest;
  #piece: Uint8Array = new Uint8Array(0);

  constructor(pieces: AsyncIterable<Uint8Array>, digest: B3Digest) {
    this.#pieces = pieces[Symbol.asyncIterator]();
    this.#digest = digest;
  }

  async *next(length: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = length; left > 0; ) {
      if (this.#piece.byteLength === 0) {
        const { done, value } = await this.#pieces.next();
        if (done === true) {
          throw new CastoreError("CORRUPT", `Cannot read blob ${this.#digest}: it ends early`);
        }
        this.#piece = value;
      }
      const part = this.#piece.subarray(0, left);
      this.#piece = this.#piece.subarray(part.byteLength);
      left -= part.byteLength;
      yield part;
    }
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}
