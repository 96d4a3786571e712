import type { Transport } from "@connectrpc/connect";
import type { TreeParents } from "../bao/outboard.js";
import type {
  BlobReader,
  BlobService,
  CallOptions,
  ChunkMeta,
  ChunksOptions,
  OpenBlob,
  OpenManyOptions,
  OpenReadOptions,
  PutManyOptions,
} from "../blobservice/blob-service.js";
import { readSource } from "../blobservice/read-source.js";
import { concatBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { createBlake3 } from "../hasher/blake3.js";
import { LinkedAbort } from "../linked-abort.js";
import { SingleFlight } from "../single-flight.js";
import { BatchClient } from "./batch-client.js";
import { BlobLayouts } from "./blob-layouts.js";
import { GrpcBlobReader, MAX_HELD_BYTES, type RemoteBlobs } from "./blob-reader.js";
import { putMissing, putStream } from "./blob-upload.js";
import { askerOf, putInChunks, type Uploader } from "./chunked-upload.js";
import { Grouped } from "./grouped.js";
import { openManyBlobs } from "./many-blobs.js";
import { mapLimited } from "./map-limited.js";
import { RangeClient } from "./range-client.js";
import { readContents } from "./remote-reading.js";
import { UploadCounter, type UploadCounters } from "./upload-counters.js";
import { MAX_WHOLE_BYTES, UploadHead } from "./upload-head.js";

/** Calls of one of ours that are under way at a time, to a server without batches. */
const CALLS_IN_FLIGHT = 16;

/** Content of small blobs that goes to the server together: a batch of an import, or several short ones. */
const MAX_GROUP_BYTES = 4 * 1024 * 1024;

/** Groups of small blobs that are under way at a time. */
const MAX_GROUPS = 2;

export interface GrpcBlobServiceOptions {
  /**
   * Whether chunk lists are believed of a server that cannot prove parts of blobs, such as tvix and snix. Then parts
   * come at once, of whatever the list says. Only for servers of one's own; false by default.
   */
  readonly trustsChunkLists?: boolean;
}

/**
 * Blobs of a server that speaks the protocol of tvix and snix. Nothing that it sends is believed: what is
 * read is held against the digests, and so is what it says it has stored.
 *
 * With a server that has batches (ours), uploads send only what is missing; with one that proves parts of blobs
 * (ours), a part is compared with the digest of the blob. Elsewhere a part consists of chunks, and that they make up the
 * blob is found out by reading all of it once, unless chunk lists are believed. What a server cannot do is remembered,
 * and so is the length of blobs and how they are cut.
 */
export class GrpcBlobService implements BlobService {
  readonly #transport: Transport;
  readonly #layouts: BlobLayouts;
  readonly #remote: RemoteBlobs;
  readonly #batch: BatchClient;
  readonly #counter = new UploadCounter();
  readonly #small: Grouped<Uint8Array, B3Digest>;
  /** Those that were asked for already. */
  readonly #missing: Grouped<Uint8Array, B3Digest>;
  readonly #uploader: Uploader;

  constructor(transport: Transport, options: GrpcBlobServiceOptions = {}) {
    this.#transport = transport;
    this.#layouts = new BlobLayouts(transport);
    this.#remote = {
      transport,
      layouts: this.#layouts,
      ranges: new RangeClient(transport),
      trustsChunkLists: options.trustsChunkLists ?? false,
      proofs: new SingleFlight(),
    };
    this.#batch = new BatchClient(transport);
    this.#uploader = { batch: this.#batch, counter: this.#counter, asker: askerOf(this.#batch) };
    const grouping = {
      maxUnderWay: MAX_GROUPS,
      maxSize: MAX_GROUP_BYTES,
      sizeOf: totalLength,
    };
    this.#small = new Grouped((blobs, options) => this.#putGroup(blobs, options), grouping);
    this.#missing = new Grouped(
      (blobs, options) => this.#putGroup(blobs, { ...options, areMissing: true }),
      grouping,
    );
  }

  /** What was uploaded so far to a server that has batches. */
  get counters(): UploadCounters {
    return this.#counter;
  }

  async has(digest: B3Digest, options: CallOptions = {}): Promise<boolean> {
    return this.#layouts.has(digest, options);
  }

  async hasMany(digests: readonly B3Digest[], options: CallOptions = {}): Promise<boolean[]> {
    options.signal?.throwIfAborted();
    if (digests.length === 0) return [];
    const missing = await this.#batch.findMissingBlobs(digests, options);
    if (missing !== undefined) return missing.map((isMissing) => !isMissing);
    return mapLimited(digests, CALLS_IN_FLIGHT, (digest, call) => this.has(digest, call), options);
  }

  async openRead(digest: B3Digest, options: OpenReadOptions = {}): Promise<BlobReader | undefined> {
    const layout = await this.#layouts.find(digest, options);
    if (layout === undefined) return undefined;
    const size = layout.size ?? options.expectedSize;
    if (size === undefined) return this.#measure(digest, options);
    return new GrpcBlobReader(this.#remote, digest, size);
  }

  async openMany(
    digests: readonly B3Digest[],
    options: OpenManyOptions,
  ): Promise<(OpenBlob | undefined)[]> {
    options.signal?.throwIfAborted();
    const openRead = this.openRead.bind(this);
    const from = { transport: this.#transport, batch: this.#batch, openRead };
    return await openManyBlobs(from, digests, options);
  }

  async put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    // Ended together with the upload: a source that hangs must not keep a failed one waiting.
    const reading = new LinkedAbort(options.signal);
    const pieces = readSource(source, reading.signal);
    try {
      const head = new UploadHead();
      if (await head.takeAll(pieces)) return await this.#putSmall(head.bytes, options);
      const all = head.followedBy(pieces);
      return (await this.#batch.isSupported(options))
        ? await putInChunks(this.#uploader, all, options)
        : await putStream(this.#transport, all, options);
    } finally {
      reading.end();
      await pieces.return();
    }
  }

  async putMany(blobs: readonly Uint8Array[], options: PutManyOptions = {}): Promise<B3Digest[]> {
    options.signal?.throwIfAborted();
    const small = blobs.filter((blob) => blob.byteLength <= MAX_WHOLE_BYTES);
    const large = blobs.filter((blob) => blob.byteLength > MAX_WHOLE_BYTES);
    const smallDigests = await this.#putAll(small, options);
    const largeDigests = await mapLimited(
      large,
      1,
      (blob, call) => this.put([blob], call),
      options,
    );
    let nextSmall = 0;
    let nextLarge = 0;
    return blobs.map(
      (blob) =>
        (blob.byteLength <= MAX_WHOLE_BYTES
          ? smallDigests[nextSmall++]
          : largeDigests[nextLarge++]) as B3Digest,
    );
  }

  /** What the server says; nothing of that is proved. */
  async chunks(
    digest: B3Digest,
    options: ChunksOptions = {},
  ): Promise<readonly ChunkMeta[] | undefined> {
    if (options.proved === true) return (await this.has(digest, options)) ? [] : undefined;
    const chunks = await this.#layouts.chunksOf(digest, options);
    return chunks?.length === 1 ? [] : chunks;
  }

  /** @throws {@link CastoreError} "UNSUPPORTED" when the server cannot prove parts of blobs */
  tree(digest: B3Digest, options: CallOptions = {}): Promise<TreeParents | undefined> {
    return this.#remote.ranges.tree(digest, options);
  }

  /** Opens a blob whose length nobody tells: it is read to learn it. */
  async #measure(digest: B3Digest, options: CallOptions): Promise<BlobReader> {
    const hash = createBlake3();
    try {
      let held: Uint8Array[] = [];
      let size = 0;
      const limit = Number.MAX_SAFE_INTEGER;
      for await (const piece of readContents(this.#transport, digest, limit, options)) {
        hash.update(piece);
        size += piece.byteLength;
        if (size <= MAX_HELD_BYTES) held.push(piece);
        else held = [];
      }
      const actual = hash.digest();
      if (!actual.equals(digest)) throw corrupt(digest, `the bytes that came are ${actual}`);
      const content = size <= MAX_HELD_BYTES ? concatBytes(held) : undefined;
      this.#layouts.remember(digest, { size, chunks: [] });
      return new GrpcBlobReader(this.#remote, digest, size, content);
    } finally {
      hash.dispose();
    }
  }

  async #putSmall(blob: Uint8Array, options: CallOptions): Promise<B3Digest> {
    const [digest] = await this.#putAll([blob], options);
    return digest as B3Digest;
  }

  async #putAll(blobs: readonly Uint8Array[], options: PutManyOptions): Promise<B3Digest[]> {
    if (blobs.length === 0) return [];
    const groups = options.areMissing === true ? this.#missing : this.#small;
    return (await groups.run(blobs, options)) as B3Digest[];
  }

  async #putGroup(blobs: readonly Uint8Array[], options: PutManyOptions): Promise<B3Digest[]> {
    const digests = await putMissing(this.#uploader, blobs, options);
    if (digests !== undefined) return digests;
    const put = (blob: Uint8Array, call: CallOptions) =>
      putStream(this.#transport, readSource([blob], call.signal), call);
    return mapLimited(blobs, CALLS_IN_FLIGHT, put, options);
  }
}

function totalLength(blobs: readonly Uint8Array[]): number {
  return blobs.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

function corrupt(digest: B3Digest, state: string): CastoreError {
  return new CastoreError("CORRUPT", `Cannot read blob ${digest}: ${state}`);
}
