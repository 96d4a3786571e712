import type { TreeParents } from "../bao/outboard.js";
import { SliceDecoder } from "../bao/slice-decoder.js";
import type { SliceRange } from "../bao/tree-shape.js";
import type {
  BlobReader,
  BlobService,
  ByteRange,
  CallOptions,
  ChunkMeta,
  OpenReadOptions,
  PutManyOptions,
} from "../blobservice/blob-service.js";
import { sliceOf } from "../blobservice/blob-slice.js";
import { resolveRange } from "../blobservice/byte-range.js";
import { readSource } from "../blobservice/read-source.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { blake3, createBlake3 } from "../hasher/blake3.js";

/** Blobs up to this size are verified whole before anything is given out. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;

/** Pieces without bytes in a row that are taken; an endless stream of them would keep a reader for ever. */
const MAX_EMPTY_PIECES = 1000;

/**
 * A service that nobody trusts: what it gives is held against the digest that was asked for, and what it says it
 * has stored against what it was given.
 *
 * A range proves nothing by itself. So a blob of up to 4 MiB is read whole and verified before any of it is given
 * out. A part of a larger one is proved by the tree over the blob, where the service has trees; else a stream reads
 * all, and fails before its end when it is another blob. How blobs are cut is not told, for a list of chunks cannot
 * be verified without the blob.
 */
export class VerifiedBlobService implements BlobService {
  readonly #inner: BlobService;
  /** There where the service has it. What uses a tree compares its nodes with the digest. */
  readonly tree?: NonNullable<BlobService["tree"]>;

  constructor(inner: BlobService) {
    this.#inner = inner;
    if (inner.tree !== undefined) this.tree = inner.tree.bind(inner);
  }

  /** What the service says: presence is not proved before the blob is read. */
  has(digest: B3Digest, options?: CallOptions): Promise<boolean> {
    return this.#inner.has(digest, options);
  }

  async hasMany(digests: readonly B3Digest[], options?: CallOptions): Promise<boolean[]> {
    const answers = await this.#inner.hasMany(digests, options);
    assertCount("look for blobs", digests, answers);
    return answers;
  }

  async openRead(digest: B3Digest, options?: OpenReadOptions): Promise<BlobReader | undefined> {
    const reader = await this.#inner.openRead(digest, options);
    if (reader === undefined) return undefined;
    if (!Number.isSafeInteger(reader.size) || reader.size < 0) {
      throw corrupt(digest, `its length is to be ${reader.size}`);
    }
    return new VerifiedReader(digest, reader, this.tree);
  }

  async put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    const hash = createBlake3();
    let hasEnded = false;
    async function* hashed(): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const bytes of readSource(source, options.signal)) {
        hash.update(bytes);
        yield bytes;
      }
      hasEnded = true;
    }
    try {
      const stored = await this.#inner.put(hashed(), options);
      if (!hasEnded) {
        throw new CastoreError("CORRUPT", "Cannot store a blob: the store did not take all of it");
      }
      assertStored(hash.digest(), stored);
      return stored;
    } finally {
      hash.dispose();
    }
  }

  async putMany(blobs: readonly Uint8Array[], options?: PutManyOptions): Promise<B3Digest[]> {
    const stored = await this.#inner.putMany(blobs, options);
    assertCount("store blobs", blobs, stored);
    blobs.forEach((blob, i) => {
      assertStored(blake3(blob), stored[i]);
    });
    return stored;
  }

  /** That a blob is there, and nothing finer: see above. */
  async chunks(digest: B3Digest, options?: CallOptions): Promise<readonly ChunkMeta[] | undefined> {
    return (await this.#inner.has(digest, options)) ? [] : undefined;
  }
}

class VerifiedReader implements BlobReader {
  readonly size: number;
  readonly #digest: B3Digest;
  readonly #reader: BlobReader;
  readonly #tree: BlobService["tree"];

  constructor(digest: B3Digest, reader: BlobReader, tree: BlobService["tree"]) {
    this.size = reader.size;
    this.#digest = digest;
    this.#reader = reader;
    this.#tree = tree;
  }

  async *stream(
    range?: ByteRange,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { start, end } = resolveRange(this.size, range);
    options.signal?.throwIfAborted();
    if (start === end && this.size > 0) return;
    if (this.size <= MAX_HELD_BYTES) {
      const bytes = await this.#held(options);
      if (end > start) yield bytes.subarray(start, end);
      return;
    }
    const tree = end - start < this.size ? await this.#treeOrNone(options) : undefined;
    if (tree !== undefined) {
      yield* this.#proved({ offset: start, length: end - start }, tree, options);
      return;
    }
    let at = 0;
    for await (const piece of this.#verified(options)) {
      const part = piece.subarray(Math.max(0, start - at), Math.max(0, end - at));
      at += piece.byteLength;
      if (part.byteLength > 0) yield part;
    }
  }

  async #treeOrNone(options: CallOptions): Promise<TreeParents | undefined> {
    try {
      return await this.#tree?.(this.#digest, options);
    } catch (error) {
      if (CastoreError.is(error, "UNSUPPORTED")) return undefined;
      throw error;
    }
  }

  /** A part, each group of it compared with the digest before it is given out. */
  async *#proved(
    range: SliceRange,
    tree: TreeParents,
    options: CallOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const decoder = new SliceDecoder(this.#digest, range, { inputLength: this.size });
    const reader: BlobReader = {
      size: this.size,
      stream: (part = {}, call = {}) => this.#pieces(part, call),
    };
    const slice = sliceOf(this.#digest, { reader, tree }, range, options);
    for await (const bytes of slice) {
      options.signal?.throwIfAborted();
      yield* decoder.push(bytes);
    }
    decoder.finish();
  }

  /** What the service gives, not verified, and without the pieces that have no bytes. */
  async *#pieces(
    range: ByteRange,
    options: CallOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let empty = 0;
    for await (const piece of this.#reader.stream(range, options)) {
      options.signal?.throwIfAborted();
      empty = piece.byteLength === 0 ? empty + 1 : 0;
      if (empty > MAX_EMPTY_PIECES) throw corrupt(this.#digest, "nothing comes, endlessly");
      if (piece.byteLength > 0) yield piece;
    }
  }

  async #held(options: CallOptions): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.size);
    let length = 0;
    for await (const piece of this.#verified(options)) {
      bytes.set(piece, length);
      length += piece.byteLength;
    }
    return bytes;
  }

  /** All of the blob, never more than its size. The last piece comes only when all are right. */
  async *#verified(options: CallOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const hash = createBlake3();
    let length = 0;
    try {
      for await (const piece of this.#pieces({}, options)) {
        length += piece.byteLength;
        if (length > this.size)
          throw corrupt(this.#digest, `there are more than ${this.size} bytes`);
        hash.update(piece);
        if (length === this.size) this.#check(hash.digest());
        yield piece;
      }
      if (length < this.size) {
        throw corrupt(this.#digest, `there are ${length} bytes instead of ${this.size}`);
      }
      if (this.size === 0) this.#check(hash.digest());
    } finally {
      hash.dispose();
    }
  }

  #check(actual: B3Digest): void {
    if (!actual.equals(this.#digest)) {
      throw corrupt(this.#digest, `the bytes that came are ${actual}`);
    }
  }
}

function assertStored(given: B3Digest, stored: B3Digest | undefined): void {
  if (stored?.equals(given) === true) return;
  throw new CastoreError("CORRUPT", `Cannot store blob ${given}: the store has stored ${stored}`);
}

function assertCount(action: string, asked: readonly unknown[], answers: readonly unknown[]): void {
  if (asked.length === answers.length) return;
  throw new CastoreError(
    "CORRUPT",
    `Cannot ${action}: ${answers.length} answers came for ${asked.length} blobs`,
  );
}

function corrupt(digest: B3Digest, state: string): CastoreError {
  return new CastoreError("CORRUPT", `Cannot read blob ${digest}: ${state}`);
}
