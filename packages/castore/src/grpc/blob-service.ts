import { Code, type Transport } from "@connectrpc/connect";
import { BlobService as BlobServiceDesc, type StatBlobResponse } from "@tvix/protos/castore";
import type {
  BlobReader,
  BlobService,
  CallOptions,
  ChunkMeta,
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
import { connectToCastoreError } from "../rpc/error-mapping.js";
import { BLOB_SIZE_HEADER, MAX_CHUNK_BYTES } from "../rpc/limits.js";
import { answeredDigest, BatchClient } from "./batch-client.js";
import { GrpcBlobReader, MAX_HELD_BYTES } from "./blob-reader.js";
import { putMissing, putStream } from "./blob-upload.js";
import { callUnary, isStatus, type UnaryAnswer } from "./call.js";
import { askerOf, putInChunks, type Uploader } from "./chunked-upload.js";
import { Grouped } from "./grouped.js";
import { openManyBlobs } from "./many-blobs.js";
import { mapLimited } from "./map-limited.js";
import { readContents } from "./remote-reading.js";
import { UploadCounter, type UploadCounters } from "./upload-counters.js";
import { MAX_WHOLE_BYTES, UploadHead } from "./upload-head.js";

/** Calls of one of ours that are under way at a time, to a server without batches. */
const CALLS_IN_FLIGHT = 16;

/** Content of small blobs that goes to the server together: a batch of an import, or several short ones. */
const MAX_GROUP_BYTES = 4 * 1024 * 1024;

/** Groups of small blobs that are under way at a time. */
const MAX_GROUPS = 2;

/**
 * Blobs of a server that speaks the protocol of tvix and snix. Nothing that it sends is believed: what is
 * read is held against the digests, and so is what it says it has stored.
 *
 * With a server that has batches (ours), uploads send only what is missing. The answer of one that has
 * none is remembered.
 */
export class GrpcBlobService implements BlobService {
  readonly #transport: Transport;
  readonly #batch: BatchClient;
  readonly #counter = new UploadCounter();
  readonly #small: Grouped<Uint8Array, B3Digest>;
  /** Those that were asked for already. */
  readonly #missing: Grouped<Uint8Array, B3Digest>;
  readonly #uploader: Uploader;

  constructor(transport: Transport) {
    this.#transport = transport;
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
    return (await this.#stat(digest, false, options)) !== undefined;
  }

  async hasMany(digests: readonly B3Digest[], options: CallOptions = {}): Promise<boolean[]> {
    options.signal?.throwIfAborted();
    if (digests.length === 0) return [];
    const missing = await this.#batch.findMissingBlobs(digests, options);
    if (missing !== undefined) return missing.map((isMissing) => !isMissing);
    return mapLimited(digests, CALLS_IN_FLIGHT, (digest, call) => this.has(digest, call), options);
  }

  async openRead(digest: B3Digest, options: OpenReadOptions = {}): Promise<BlobReader | undefined> {
    const answer = await this.#stat(digest, true, options);
    if (answer === undefined) return undefined;
    const chunks = chunkList(digest, answer.message);
    const stated = statedSize(digest, answer.header);
    if (chunks.length === 0 && stated === undefined) {
      const { expectedSize } = options;
      return expectedSize === undefined
        ? this.#measure(digest, options)
        : new GrpcBlobReader(this.#transport, digest, expectedSize, []);
    }
    const size = chunks.reduce((sum, chunk) => sum + chunk.size, 0);
    if (chunks.length > 0 && stated !== undefined && stated !== size) {
      throw corrupt(digest, `its chunks are ${size} bytes, but it is to have ${stated}`);
    }
    const isUsable = chunks.every((chunk) => chunk.size <= MAX_CHUNK_BYTES);
    return new GrpcBlobReader(this.#transport, digest, stated ?? size, isUsable ? chunks : []);
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

  async chunks(
    digest: B3Digest,
    options: CallOptions = {},
  ): Promise<readonly ChunkMeta[] | undefined> {
    const answer = await this.#stat(digest, true, options);
    if (answer === undefined) return undefined;
    const chunks = chunkList(digest, answer.message);
    return chunks.length === 1 ? [] : chunks;
  }

  async #stat(
    digest: B3Digest,
    sendChunks: boolean,
    options: CallOptions,
  ): Promise<UnaryAnswer<typeof BlobServiceDesc.method.stat.output> | undefined> {
    options.signal?.throwIfAborted();
    const input = { digest: digest.toBytes(), sendChunks };
    try {
      return await callUnary(this.#transport, BlobServiceDesc.method.stat, input, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (isStatus(error, Code.NotFound)) return undefined;
      throw connectToCastoreError(error, `Cannot find blob ${digest}`);
    }
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
      return new GrpcBlobReader(this.#transport, digest, size, [], content);
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

/** The chunks in an answer; none when no finer pieces are known. */
function chunkList(digest: B3Digest, { chunks }: StatBlobResponse): ChunkMeta[] {
  let total = 0n;
  const list = chunks.map(({ digest: bytes, size }) => {
    total += size;
    if (size === 0n || total > Number.MAX_SAFE_INTEGER) {
      throw corrupt(digest, `its chunk list has a chunk of ${size} bytes`);
    }
    return { digest: answeredDigest(bytes), size: Number(size) };
  });
  const [only] = list;
  if (list.length === 1 && only?.digest.equals(digest) !== true) {
    throw corrupt(digest, `it is to consist of ${only?.digest} alone`);
  }
  return list;
}

function statedSize(digest: B3Digest, header: Headers): number | undefined {
  const text = header.get(BLOB_SIZE_HEADER);
  if (text === null) return undefined;
  const size = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(size)) return size;
  throw corrupt(digest, "the length that the server states is not a number");
}

function corrupt(digest: B3Digest, state: string): CastoreError {
  return new CastoreError("CORRUPT", `Cannot read blob ${digest}: ${state}`);
}
