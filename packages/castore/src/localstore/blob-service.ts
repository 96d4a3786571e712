import type { TreeParents } from "../bao/outboard.js";
import type {
  BlobPlace,
  BlobReader,
  BlobService,
  ByteRange,
  CallOptions,
  ChunkMeta,
  FillManyOptions,
  OpenBlob,
  OpenManyOptions,
  PutManyOptions,
} from "../blobservice/blob-service.js";
import { resolveRange } from "../blobservice/byte-range.js";
import type { BlobChunks, ChunkedBlobUpload } from "../blobservice/chunked-blob-upload.js";
import { readSource } from "../blobservice/read-source.js";
import { type B3Digest, joinDigests } from "../digest.js";
import { BlobTrees } from "./blob-trees.js";
import { BlobUpload } from "./blob-upload.js";
import { decodeChunkList } from "./chunk-list.js";
import { ChunkedReader } from "./chunked-reader.js";
import { ChunkedUpload } from "./chunked-upload.js";
import type { RecordLocation } from "./index-rows.js";
import { RecordKind } from "./pack-format.js";
import type { StoreCore } from "./store-core.js";
import type { StoreWrites } from "./store-writes.js";
import { Turns } from "./turns.js";
import { MAX_WHOLE_BYTES, putWholeBlobs } from "./whole-blobs.js";

/** Whether a blob that is there as a whole is stored from where it lies. */
function isWhole({ byteLength }: Uint8Array): boolean {
  return byteLength <= MAX_WHOLE_BYTES;
}

/** What there is of a blob that is stored: one of these. */
const HOLDS_BLOB = [RecordKind.CHUNK, RecordKind.CHUNK_LIST] as const;

/** Blobs as records in packs: small ones whole, larger ones as content-defined chunks. */
export class LocalBlobService implements BlobService, ChunkedBlobUpload {
  readonly #core: StoreCore;
  readonly #writes: StoreWrites;
  readonly #trees: BlobTrees;

  /** @param writes - decides what a promise that fulfils means */
  constructor(core: StoreCore, writes: StoreWrites = core.writes) {
    this.#core = core;
    this.#writes = writes;
    this.#trees = new BlobTrees(core);
  }

  async has(digest: B3Digest, options: CallOptions = {}): Promise<boolean> {
    options.signal?.throwIfAborted();
    return this.#hasSingle(digest) || (await this.#hasChunks(digest));
  }

  async hasMany(digests: readonly B3Digest[], options: CallOptions = {}): Promise<boolean[]> {
    options.signal?.throwIfAborted();
    const present = new Array<boolean>(digests.length).fill(true);
    const { neither, other } = this.#core.absent(HOLDS_BLOB, joinDigests(digests));
    for (const i of neither) present[i] = false;
    for (const i of other) {
      present[i] = await this.#hasChunks(digests[i] as B3Digest);
      options.signal?.throwIfAborted();
    }
    return present;
  }

  async openRead(digest: B3Digest, options: CallOptions = {}): Promise<BlobReader | undefined> {
    options.signal?.throwIfAborted();
    const location = this.#core.index()?.find(RecordKind.CHUNK, digest.toBytes());
    if (location !== undefined) return new SingleReader(this.#core, digest, location);
    return this.#openChunked(digest);
  }

  async openMany(
    digests: readonly B3Digest[],
    options: OpenManyOptions,
  ): Promise<(OpenBlob | undefined)[]> {
    options.signal?.throwIfAborted();
    const index = this.#core.index();
    const locations = digests.map((digest) => index?.find(RecordKind.CHUNK, digest.toBytes()));
    const places: BlobPlace[] = [];
    let end = 0;
    for (const [i, location] of locations.entries()) {
      if (location === undefined || location.raw > options.inlineBytes) continue;
      places.push({ digest: digests[i] as B3Digest, offset: end, length: location.raw });
      end += location.raw;
    }
    const memory = new SharedArrayBuffer(end);
    const missed = new Set(await this.#fill(places, memory));
    let next = 0;
    return Promise.all(
      locations.map((location, i) => {
        const digest = digests[i] as B3Digest;
        if (location === undefined) return this.#openChunked(digest);
        if (location.raw > options.inlineBytes)
          return new SingleReader(this.#core, digest, location);
        const { offset, length } = places[next] as BlobPlace;
        return missed.has(next++)
          ? this.#core.readAt(RecordKind.CHUNK, digest.toBytes(), location)
          : new Uint8Array(memory, offset, length);
      }),
    );
  }

  async fillMany(
    places: readonly BlobPlace[],
    memory: SharedArrayBuffer,
    options: FillManyOptions = {},
  ): Promise<readonly number[]> {
    options.signal?.throwIfAborted();
    return this.#fill(places, memory, options.expectedBytes);
  }

  readNow(digest: B3Digest, length: number): Uint8Array | undefined {
    return this.#core.readNow(digest.toBytes(), length);
  }

  #fill(
    blobs: readonly BlobPlace[],
    memory: SharedArrayBuffer,
    expectedBytes = 0,
  ): readonly number[] | Promise<readonly number[]> {
    const keys = joinDigests(blobs.map(({ digest }) => digest));
    const places = new Float64Array(blobs.length * 2);
    blobs.forEach(({ offset, length }, i) => {
      places[2 * i] = offset;
      places[2 * i + 1] = length;
    });
    return this.#core.fill({ keys, places, memory }, expectedBytes);
  }

  async #openChunked(digest: B3Digest): Promise<BlobReader | undefined> {
    const chunks = await this.#chunkList(digest);
    return chunks && new ChunkedReader(this.#core, digest, chunks);
  }

  async put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    const upload = new BlobUpload(this.#core, this.#writes, options.signal);
    try {
      for await (const piece of readSource(source, options.signal)) {
        await this.#core.ready(options.signal);
        await upload.push(piece);
      }
      return await upload.finish(options);
    } finally {
      upload.dispose();
    }
  }

  async putMany(blobs: readonly Uint8Array[], options: PutManyOptions = {}): Promise<B3Digest[]> {
    options.signal?.throwIfAborted();
    if (blobs.length === 0) return [];
    if (blobs.every(isWhole)) return await putWholeBlobs(this.#writes, blobs, options);
    const whole = blobs.filter(isWhole);
    const [digests, long] = await Promise.all([
      whole.length === 0 ? [] : putWholeBlobs(this.#writes, whole, options),
      Promise.all(blobs.filter((blob) => !isWhole(blob)).map((blob) => this.put([blob], options))),
    ]);
    let nextWhole = 0;
    let nextLong = 0;
    return blobs.map(
      (blob) => (isWhole(blob) ? digests[nextWhole++] : long[nextLong++]) as B3Digest,
    );
  }

  async putChunked(chunks: BlobChunks, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const upload = new ChunkedUpload(this.#core, this, options);
    try {
      let next = await chunks.next();
      for (; next.done !== true; next = await chunks.next()) {
        await this.#core.ready(options.signal);
        await upload.add(next.value);
      }
      await upload.finish(next.value);
    } finally {
      upload.dispose();
    }
  }

  async chunks(
    digest: B3Digest,
    options: CallOptions = {},
  ): Promise<readonly ChunkMeta[] | undefined> {
    options.signal?.throwIfAborted();
    if (this.#hasSingle(digest)) return [];
    return this.#chunkList(digest);
  }

  async tree(digest: B3Digest, options: CallOptions = {}): Promise<TreeParents | undefined> {
    const reader = await this.openRead(digest, options);
    return reader && this.#trees.of(digest, reader, options);
  }

  #hasSingle(digest: B3Digest): boolean {
    return this.#core.has(RecordKind.CHUNK, digest.toBytes());
  }

  /** Whether a blob has a list, and all chunks are there: without one it is of no use to anybody. */
  async #hasChunks(digest: B3Digest): Promise<boolean> {
    const chunks = await this.#chunkList(digest);
    if (chunks === undefined) return false;
    // There may be a million of them.
    const turns = new Turns();
    for (const chunk of chunks) {
      if (!this.#hasSingle(chunk.digest)) return false;
      await turns.next();
    }
    return true;
  }

  async #chunkList(digest: B3Digest): Promise<ChunkMeta[] | undefined> {
    const bytes = await this.#core.read(RecordKind.CHUNK_LIST, digest.toBytes());
    return bytes && decodeChunkList(bytes);
  }
}

/** A blob that is one record: verified whole before its first byte is given out. */
class SingleReader implements BlobReader {
  readonly size: number;
  readonly #core: StoreCore;
  readonly #digest: B3Digest;
  readonly #location: RecordLocation;

  constructor(core: StoreCore, digest: B3Digest, location: RecordLocation) {
    this.#core = core;
    this.#digest = digest;
    this.#location = location;
    this.size = location.raw;
  }

  async *stream(
    range?: ByteRange,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { start, end } = resolveRange(this.size, range);
    options.signal?.throwIfAborted();
    if (start === end) return;
    const key = this.#digest.toBytes();
    const bytes = await this.#core.readAt(RecordKind.CHUNK, key, this.#location);
    options.signal?.throwIfAborted();
    yield bytes.subarray(start, end);
  }
}
