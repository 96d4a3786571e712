import type { CallOptions, ChunkMeta } from "../blobservice/blob-service.js";
import { concatBytes, splitBytes } from "../bytes.js";
import { type ChunkBatch, Chunker } from "../chunking/chunker.js";
import { chunkSizes } from "../chunking/fastcdc.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { type Blake3Hash, blake3, createBlake3 } from "../hasher/blake3.js";
import { LinkedAbort } from "../linked-abort.js";
import { CONTENT_MESSAGE_BYTES, MAX_DIGESTS_PER_CALL } from "../rpc/limits.js";
import type { BatchClient, PutChunkedBlobMessage, UploadMessages } from "./batch-client.js";
import { Grouped } from "./grouped.js";
import type { UploadCounter } from "./upload-counters.js";

/** Chunks named in one message, some 650 KiB. */
const CHUNKS_PER_MESSAGE = 16_384;

/** What an upload in batches needs. */
export interface Uploader {
  readonly batch: BatchClient;
  readonly counter: UploadCounter;
  readonly asker: Asker;
}

/** Asks which chunks are missing: those of blobs that are on their way at the same time together. */
export type Asker = Grouped<B3Digest, boolean>;

/** Questions for chunks that are under way at a time. */
const MAX_QUESTIONS = 2;

export function askerOf(batch: BatchClient): Asker {
  return new Grouped((digests, options) => batch.findMissingBlobs(digests, options), {
    maxUnderWay: MAX_QUESTIONS,
    maxSize: MAX_DIGESTS_PER_CALL,
    sizeOf: ({ length }) => length,
  });
}

/**
 * Stores what `pieces` yield as chunks, of which only those are sent that the server lacks. Closing the
 * pieces, and ending their waits, is for the caller.
 *
 * @throws {@link CastoreError} "UNAVAILABLE" when the server has batches no longer
 */
export async function putInChunks(
  uploader: Uploader,
  pieces: AsyncIterable<Uint8Array>,
  options: CallOptions,
): Promise<B3Digest> {
  const call = new LinkedAbort(options.signal);
  const upload = new ChunkedUpload(uploader, pieces, { signal: call.signal }, options);
  try {
    return await upload.run();
  } finally {
    call.end();
    upload.dispose();
  }
}

/** Chunks in a row, with what the server says of them. */
interface AskedBatch extends ChunkBatch {
  readonly digests: readonly B3Digest[];
  readonly missing: readonly boolean[];
}

/**
 * One blob on its way to a server. Nothing is sent as long as the server has every chunk: it may have the
 * whole blob. From the first that it lacks on, chunks go as they come, in one call.
 */
class ChunkedUpload implements UploadMessages<PutChunkedBlobMessage> {
  readonly #uploader: Uploader;
  readonly #pieces: AsyncIterable<Uint8Array>;
  readonly #options: CallOptions;
  /** For questions: they may be shared with others, who have the same signal. */
  readonly #callerOptions: CallOptions;
  readonly #hash: Blake3Hash = createBlake3();
  readonly #batches: AsyncGenerator<AskedBatch, void, undefined>;
  /** Chunks at the start that the server has. */
  readonly #known: ChunkMeta[] = [];
  /** The batch that follows them. */
  #next: AskedBatch | undefined;
  readonly #sent = new Set<string>();
  readonly #counted: B3Digest[] = [];
  hasFailed = false;

  constructor(
    uploader: Uploader,
    pieces: AsyncIterable<Uint8Array>,
    options: CallOptions,
    callerOptions: CallOptions,
  ) {
    this.#uploader = uploader;
    this.#pieces = pieces;
    this.#options = options;
    this.#callerOptions = callerOptions;
    this.#batches = this.#asked();
  }

  async run(): Promise<B3Digest> {
    const { batch } = this.#uploader;
    await this.#passKnown();
    if (this.#next === undefined) {
      const digest = this.#whole();
      const [isMissing] = (await batch.findMissingBlobs([digest], this.#options)) ?? [];
      if (isMissing === undefined) throw noBatches();
      if (!isMissing) return digest;
    }
    if ((await batch.putChunkedBlob(this, this.#options)) === undefined) throw noBatches();
    return this.#whole();
  }

  async *messages(): AsyncGenerator<PutChunkedBlobMessage, void, undefined> {
    for (let start = 0; start < this.#known.length; start += CHUNKS_PER_MESSAGE) {
      yield { chunks: this.#known.slice(start, start + CHUNKS_PER_MESSAGE).map(named) };
    }
    if (this.#next !== undefined) {
      yield* this.#messagesOf(this.#next);
      for await (const asked of this.#batches) yield* this.#messagesOf(asked);
    }
    yield { digest: this.#whole().toBytes() };
  }

  dispose(): void {
    this.#hash.dispose();
    this.#uploader.counter.end(this.#counted);
  }

  #digest: B3Digest | undefined;

  /** The digest of all, once there are no more batches. */
  #whole(): B3Digest {
    this.#digest ??= this.#hash.digest();
    return this.#digest;
  }

  async #passKnown(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#batches.next();
      if (done === true) return;
      if (value.missing.includes(true)) {
        this.#next = value;
        return;
      }
      value.digests.forEach((digest, i) => {
        this.#known.push({ digest, size: value.lengths[i] as number });
      });
    }
  }

  /** The server is asked about a batch while the one before is sent. */
  async *#asked(): AsyncGenerator<AskedBatch, void, undefined> {
    let previous: Promise<AskedBatch> | undefined;
    for await (const batch of this.#cut()) {
      const asked = this.#ask(batch);
      // It is awaited later, or never after a failure elsewhere.
      asked.catch(() => {});
      if (previous !== undefined) yield await previous;
      previous = asked;
    }
    if (previous !== undefined) yield await previous;
  }

  async *#cut(): AsyncGenerator<ChunkBatch, void, undefined> {
    const chunker = new Chunker(chunkSizes());
    for await (const piece of this.#watched()) {
      this.#hash.update(piece);
      yield* chunker.push(piece);
    }
    yield* chunker.finish();
  }

  async *#watched(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* this.#pieces;
    } catch (error) {
      this.hasFailed = true;
      throw error;
    }
  }

  async #ask({ bytes, lengths }: ChunkBatch): Promise<AskedBatch> {
    const { asker, counter } = this.#uploader;
    const digests = splitBytes(bytes, lengths).map(blake3);
    counter.begin(digests);
    this.#counted.push(...digests);
    const missing = await asker.run(digests, this.#callerOptions);
    if (missing === undefined) throw noBatches();
    lengths.forEach((length, i) => {
      counter.count(digests[i] as B3Digest, length, missing[i] as boolean);
    });
    return { bytes, lengths, digests, missing };
  }

  /** A chunk is sent once; where it comes again, it is named. */
  *#messagesOf({ bytes, lengths, digests, missing }: AskedBatch) {
    let message = new ChunkMessage(bytes);
    for (const [i, size] of lengths.entries()) {
      const digest = digests[i] as B3Digest;
      const isSent = missing[i] === true && !this.#sent.has(digest.key);
      if (isSent) this.#sent.add(digest.key);
      if (message.sentBytes + (isSent ? size : 0) > CONTENT_MESSAGE_BYTES) {
        yield message.finish();
        message = message.next();
      }
      message.add({ digest, size }, isSent);
    }
    yield message.finish();
  }
}

/** Puts chunks of one batch into a message. */
class ChunkMessage {
  readonly #bytes: Uint8Array;
  /** Where the next chunk starts in the batch. */
  #offset: number;
  readonly #chunks: { digest: Uint8Array; size: bigint }[] = [];
  readonly #contents: Uint8Array[] = [];
  sentBytes = 0;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.#offset = offset;
  }

  /** An empty one for the chunks that follow. */
  next(): ChunkMessage {
    return new ChunkMessage(this.#bytes, this.#offset);
  }

  add(chunk: ChunkMeta, isSent: boolean): void {
    const end = this.#offset + chunk.size;
    if (isSent) {
      this.#chunks.push({ digest: NO_DIGEST, size: BigInt(chunk.size) });
      this.#contents.push(this.#bytes.subarray(this.#offset, end));
      this.sentBytes += chunk.size;
    } else {
      this.#chunks.push(named(chunk));
    }
    this.#offset = end;
  }

  finish(): PutChunkedBlobMessage {
    return { chunks: this.#chunks, contents: joined(this.#contents) };
  }
}

const NO_DIGEST = new Uint8Array(0);

function named({ digest, size }: ChunkMeta): { digest: Uint8Array; size: bigint } {
  return { digest: digest.toBytes(), size: BigInt(size) };
}

/** The parts in a row: where they lie when they do so one behind the other, else a copy. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (first === undefined) return NO_DIGEST;
  let end = first.byteOffset;
  for (const { buffer, byteOffset, byteLength } of parts) {
    if (buffer !== first.buffer || byteOffset !== end) return concatBytes(parts);
    end += byteLength;
  }
  return new Uint8Array(first.buffer, first.byteOffset, end - first.byteOffset);
}

/** The server had batches before, and says now that it has none. */
function noBatches(): CastoreError {
  return new CastoreError(
    "UNAVAILABLE",
    "Cannot store a blob: the server stopped to take batches while they were sent",
  );
}
