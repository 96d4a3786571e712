import type { BlobService, CallOptions, ChunkMeta } from "../blobservice/blob-service.js";
import { type BlobChunk, checkWhole, readStored } from "../blobservice/chunked-blob-upload.js";
import type { B3Digest } from "../digest.js";
import { type Blake3Hash, createBlake3 } from "../hasher/blake3.js";
import { encodeChunkList } from "./chunk-list.js";
import { RecordKind } from "./pack-format.js";
import type { StoreCore } from "./store-core.js";
import { Turns } from "./turns.js";

/** Runs of chunks (1 MiB each, usually) of one blob that may wait for the threads that encode and write. */
const MAX_RUNS_IN_FLIGHT = 8;

/** The same for all blobs together. Each may have one, however many there are. */
const MAX_RUNS_OF_ALL = 64;

/**
 * One blob on its way into the store, cut by somebody else. Every byte is hashed once for the blob, and
 * once for its chunk, in a thread or as it is read; the list comes last.
 *
 * @internal
 */
export class ChunkedUpload {
  readonly #core: StoreCore;
  readonly #blobs: BlobService;
  readonly #options: CallOptions;
  readonly #hash: Blake3Hash = createBlake3();
  /** The chunks so far, in order: those that were read, and runs that are on their way. */
  readonly #chunks: (ChunkMeta[] | Promise<ChunkMeta[]>)[] = [];
  /** Those behind them that are to be read: not before they must be, since all may be refused. */
  #named: ChunkMeta[] = [];
  readonly #onTheirWay: Promise<ChunkMeta[]>[] = [];

  constructor(core: StoreCore, blobs: BlobService, options: CallOptions) {
    this.#core = core;
    this.#blobs = blobs;
    this.#options = options;
    core.uploadsInChunks++;
  }

  /** Takes the next chunks, bytes as a copy; waits while too much is in flight. */
  async add(run: readonly BlobChunk[]): Promise<void> {
    let contents: Uint8Array[] = [];
    for (const chunk of run) {
      if (chunk instanceof Uint8Array) {
        await this.#readNamed();
        this.#hash.update(chunk);
        contents.push(chunk);
        continue;
      }
      this.#store(contents);
      contents = [];
      this.#named.push(chunk);
    }
    this.#store(contents);
    await this.#onTheirWay[this.#onTheirWay.length - this.#runsAllowed()];
  }

  /** Ends the blob, which must be `digest`: when the promise fulfils, all of it is durable. */
  async finish(digest: B3Digest): Promise<void> {
    if (this.#chunks.length === 0 && (await this.#blobs.has(digest, this.#options))) return;
    await this.#readNamed();
    checkWhole(digest, this.#hash.digest());
    const chunks = (await Promise.all(this.#chunks)).flat();
    const { signal } = this.#options;
    signal?.throwIfAborted();
    if (chunks.length === 0) {
      await this.#core.store(RecordKind.CHUNK, [new Uint8Array(0)], this.#options);
    } else if (chunks.length > 1 && !(await this.#blobs.has(digest, this.#options))) {
      const list = encodeChunkList(chunks);
      await this.#core.storeKeyed(RecordKind.CHUNK_LIST, digest.toBytes(), list, signal);
    }
  }

  /** Frees what the upload holds. To be called once, at its end. */
  dispose(): void {
    this.#core.uploadsInChunks--;
    this.#hash.dispose();
  }

  #runsAllowed(): number {
    const share = Math.floor(MAX_RUNS_OF_ALL / this.#core.uploadsInChunks);
    return Math.max(1, Math.min(MAX_RUNS_IN_FLIGHT, share));
  }

  #store(contents: readonly Uint8Array[]): void {
    if (contents.length === 0) return;
    const stored = this.#core
      .store(RecordKind.CHUNK, contents, this.#options)
      .then((digests) =>
        digests.map((digest, i) => ({ digest, size: (contents[i] as Uint8Array).byteLength })),
      );
    // Awaited later, or never after a failure elsewhere: it must not count as unhandled till then.
    stored.catch(() => {});
    this.#chunks.push(stored);
    this.#onTheirWay.push(stored);
  }

  async #readNamed(): Promise<void> {
    // Short chunks are read without waiting: a million of them must not keep everybody else waiting.
    const turns = new Turns();
    for (const chunk of this.#named) {
      await this.#addStored(chunk);
      await turns.next();
    }
    this.#named = [];
  }

  async #addStored(chunk: ChunkMeta): Promise<void> {
    const { digest } = chunk;
    // It may be one that came in this upload.
    if (!(await this.#blobs.has(digest, this.#options))) await Promise.all(this.#onTheirWay);
    for await (const piece of readStored(this.#blobs, chunk, this.#options)) {
      this.#hash.update(piece);
    }
    // What is itself a list of chunks cannot be in one.
    const inner = (await this.#blobs.chunks(digest, this.#options)) ?? [];
    const chunks = inner.length === 0 ? [chunk] : inner;
    const last = this.#chunks.at(-1);
    if (Array.isArray(last)) last.push(...chunks);
    else this.#chunks.push([...chunks]);
  }
}
