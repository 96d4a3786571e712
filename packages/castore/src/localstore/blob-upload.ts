import type { CallOptions, ChunkMeta } from "../blobservice/blob-service.js";
import { concatBytes, copyBytes, splitBytes } from "../bytes.js";
import { type ChunkBatch, Chunker } from "../chunking/chunker.js";
import { chunkSizes } from "../chunking/fastcdc.js";
import type { B3Digest } from "../digest.js";
import { type Blake3Hash, createBlake3 } from "../hasher/blake3.js";
import { encodeChunkList } from "./chunk-list.js";
import { RecordKind } from "./pack-format.js";
import type { StoreCore } from "./store-core.js";

/** Chunk batches (2 MiB each) of one blob that may wait for the threads that encode and write. */
const MAX_BATCHES_IN_FLIGHT = 8;

/** The same for all blobs together. Each may have one, however many there are. */
const MAX_BATCHES_OF_ALL = 64;

const SIZES = chunkSizes();

/** One blob on its way into the store: gathered while it is small, cut into chunks from then on. */
export class BlobUpload {
  readonly #core: StoreCore;
  #small: Uint8Array[] = [];
  #smallBytes = 0;
  #stream: { hash: Blake3Hash; chunker: Chunker } | undefined;
  readonly #chunks: Promise<ChunkMeta[]>[] = [];
  #disposed = false;

  constructor(core: StoreCore) {
    this.#core = core;
  }

  /** Takes a copy of the next piece; waits while too much is in flight. */
  async push(piece: Uint8Array): Promise<void> {
    if (this.#stream === undefined && this.#smallBytes + piece.byteLength <= SIZES.min) {
      this.#small.push(copyBytes(piece));
      this.#smallBytes += piece.byteLength;
      return;
    }
    if (this.#stream === undefined) {
      this.#core.uploadsInChunks++;
      this.#stream = {
        hash: createBlake3(),
        chunker: new Chunker(SIZES, () => this.#core.blocks.take()),
      };
      for (const early of this.#small.splice(0)) this.#feed(this.#stream, early);
    }
    this.#feed(this.#stream, piece);
    // Older batches are done, or nearly so; waiting for one of them bounds what is in flight.
    await this.#chunks[this.#chunks.length - this.#batchesAllowed()];
  }

  /**
   * Ends the blob: when the promise fulfils, all of it is durable, its chunk list last.
   *
   * @returns the digest of the blob
   */
  async finish(options: CallOptions = {}): Promise<B3Digest> {
    const stream = this.#stream;
    if (stream === undefined) {
      const whole = concatBytes(this.#small);
      const [digest] = await this.#core.store(RecordKind.CHUNK, [whole], options);
      return digest as B3Digest;
    }
    for (const batch of stream.chunker.finish()) this.#store(batch);
    const digest = stream.hash.digest();
    const chunks = (await Promise.all(this.#chunks)).flat();
    options.signal?.throwIfAborted();
    // A blob that came out as one chunk is that chunk: it is stored under the same digest.
    if (chunks.length > 1) {
      await this.#core.storeKeyed(RecordKind.CHUNK_LIST, digest.toBytes(), encodeChunkList(chunks));
    }
    return digest;
  }

  /** Frees what an upload holds. To be called at its end, however it ends. */
  dispose(): void {
    if (this.#stream !== undefined && !this.#disposed) this.#core.uploadsInChunks--;
    this.#disposed = true;
    this.#stream?.hash.dispose();
    // Batches may still be on their way; whoever reported the failure has said enough.
    for (const chunks of this.#chunks) chunks.catch(() => {});
  }

  #batchesAllowed(): number {
    const share = Math.floor(MAX_BATCHES_OF_ALL / this.#core.uploadsInChunks);
    return Math.max(1, Math.min(MAX_BATCHES_IN_FLIGHT, share));
  }

  #feed(stream: { hash: Blake3Hash; chunker: Chunker }, piece: Uint8Array): void {
    stream.hash.update(piece);
    for (const batch of stream.chunker.push(piece)) this.#store(batch);
  }

  #store({ bytes, lengths }: ChunkBatch): void {
    const stored = this.#storeBatch(bytes, lengths);
    // Awaited later, or never after a failure elsewhere: it must not count as unhandled till then.
    stored.catch(() => {});
    this.#chunks.push(stored);
  }

  async #storeBatch(bytes: Uint8Array, lengths: readonly number[]): Promise<ChunkMeta[]> {
    try {
      const digests = await this.#core.store(RecordKind.CHUNK, splitBytes(bytes, lengths));
      return digests.map((digest, i) => ({ digest, size: lengths[i] as number }));
    } finally {
      this.#core.blocks.give(bytes);
    }
  }
}
