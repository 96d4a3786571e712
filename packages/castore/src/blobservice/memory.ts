import type { TreeParents } from "../bao/outboard.js";
import { treeOf } from "../bao/tree-builder.js";
import { concatBytes, copyBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import type { BlobReader, BlobService, ByteRange, CallOptions, ChunkMeta } from "./blob-service.js";
import { resolveRange } from "./byte-range.js";
import { type BlobChunks, type ChunkedBlobUpload, joinChunks } from "./chunked-blob-upload.js";
import { readSource } from "./read-source.js";

/** Pieces in which a blob is given out, so that no consumer can rely on getting it whole. */
const PIECE_LENGTH = 256 * 1024;

/**
 * Keeps blobs in memory, whole, as long as it lives. For tests and for small, short-lived data:
 * nothing is ever dropped.
 */
export class MemoryBlobService implements BlobService, ChunkedBlobUpload {
  readonly #blobs = new Map<string, Uint8Array>();
  /** Of the blobs that were asked for them. */
  readonly #trees = new Map<string, TreeParents>();

  async has(digest: B3Digest, options: CallOptions = {}): Promise<boolean> {
    options.signal?.throwIfAborted();
    return this.#blobs.has(digest.key);
  }

  async hasMany(digests: readonly B3Digest[], options: CallOptions = {}): Promise<boolean[]> {
    options.signal?.throwIfAborted();
    return digests.map((digest) => this.#blobs.has(digest.key));
  }

  async openRead(digest: B3Digest, options: CallOptions = {}): Promise<BlobReader | undefined> {
    options.signal?.throwIfAborted();
    const blob = this.#blobs.get(digest.key);
    return blob && { size: blob.byteLength, stream: (range, call) => pieces(blob, range, call) };
  }

  async put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    const parts: Uint8Array[] = [];
    for await (const chunk of readSource(source, options.signal)) parts.push(copyBytes(chunk));
    return this.#store(concatBytes(parts));
  }

  async putMany(blobs: readonly Uint8Array[], options: CallOptions = {}): Promise<B3Digest[]> {
    options.signal?.throwIfAborted();
    return blobs.map((blob) => this.#store(copyBytes(blob)));
  }

  async putChunked(chunks: BlobChunks, options: CallOptions = {}): Promise<void> {
    await this.put(joinChunks(this, chunks, options), options);
  }

  async chunks(
    digest: B3Digest,
    options: CallOptions = {},
  ): Promise<readonly ChunkMeta[] | undefined> {
    options.signal?.throwIfAborted();
    return this.#blobs.has(digest.key) ? [] : undefined;
  }

  async tree(digest: B3Digest, options: CallOptions = {}): Promise<TreeParents | undefined> {
    options.signal?.throwIfAborted();
    const blob = this.#blobs.get(digest.key);
    const tree = this.#trees.get(digest.key) ?? (blob && treeOf(blob));
    if (tree !== undefined) this.#trees.set(digest.key, tree);
    return tree;
  }

  #store(own: Uint8Array): B3Digest {
    const digest = blake3(own);
    if (!this.#blobs.has(digest.key)) this.#blobs.set(digest.key, own);
    return digest;
  }
}

/** Copies: a consumer that writes to what it was given changes no blob. */
async function* pieces(
  blob: Uint8Array,
  range: ByteRange | undefined,
  options: CallOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { start, end } = resolveRange(blob.byteLength, range);
  for (let offset = start; offset < end; offset += PIECE_LENGTH) {
    options.signal?.throwIfAborted();
    yield copyBytes(blob.subarray(offset, Math.min(end, offset + PIECE_LENGTH)));
  }
  options.signal?.throwIfAborted();
}
