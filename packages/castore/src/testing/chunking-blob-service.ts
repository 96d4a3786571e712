import type { TreeParents } from "../bao/outboard.js";
import type {
  BlobReader,
  BlobService,
  CallOptions,
  ChunkMeta,
} from "../blobservice/blob-service.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import { readSource } from "../blobservice/read-source.js";
import { concatBytes, copyBytes, splitBytes } from "../bytes.js";
import { chunkSizes, cutChunks } from "../chunking/fastcdc.js";
import type { B3Digest } from "../digest.js";

/** Keeps blobs in memory and knows how they are cut, as large stores do. */
export class ChunkingBlobService implements BlobService {
  readonly #blobs = new MemoryBlobService();
  readonly #lists = new Map<string, readonly ChunkMeta[]>();
  readonly #averageSize: number;

  /** @param averageSize - of a chunk in bytes; at least 256 */
  constructor(averageSize: number) {
    this.#averageSize = averageSize;
  }

  has(digest: B3Digest, options?: CallOptions): Promise<boolean> {
    return this.#blobs.has(digest, options);
  }

  hasMany(digests: readonly B3Digest[], options?: CallOptions): Promise<boolean[]> {
    return this.#blobs.hasMany(digests, options);
  }

  openRead(digest: B3Digest, options?: CallOptions): Promise<BlobReader | undefined> {
    return this.#blobs.openRead(digest, options);
  }

  async put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    const parts: Uint8Array[] = [];
    for await (const part of readSource(source, options.signal)) parts.push(copyBytes(part));
    return this.#store(concatBytes(parts));
  }

  async putMany(blobs: readonly Uint8Array[], options: CallOptions = {}): Promise<B3Digest[]> {
    options.signal?.throwIfAborted();
    return Promise.all(blobs.map((bytes) => this.#store(copyBytes(bytes))));
  }

  async chunks(
    digest: B3Digest,
    options: CallOptions = {},
  ): Promise<readonly ChunkMeta[] | undefined> {
    options.signal?.throwIfAborted();
    return this.#lists.get(digest.key) ?? (await this.#blobs.chunks(digest, options));
  }

  tree(digest: B3Digest, options?: CallOptions): Promise<TreeParents | undefined> {
    return this.#blobs.tree(digest, options);
  }

  async #store(bytes: Uint8Array): Promise<B3Digest> {
    const lengths = cutChunks(bytes, chunkSizes(this.#averageSize), true);
    const chunks = splitBytes(bytes, lengths);
    const digests = await this.#blobs.putMany(chunks);
    const digest = await this.#blobs.put([bytes]);
    if (chunks.length > 1) {
      const list = lengths.map((size, i) => ({ digest: digests[i] as B3Digest, size }));
      this.#lists.set(digest.key, list);
    }
    return digest;
  }
}
