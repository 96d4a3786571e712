/** Bytes of blobs from a server that is not trusted, checked before they are given out. */
import type { Transport } from "@connectrpc/connect";
import { BlobService as BlobServiceDesc } from "@tvix/protos/castore";
import type { CallOptions, ChunkMeta } from "../blobservice/blob-service.js";
import { concatBytes, plainBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { blake3, createBlake3 } from "../hasher/blake3.js";
import { connectToCastoreError } from "../rpc/error-mapping.js";
import { callServerStream, SILENCE_MS } from "./call.js";
import type { Pace } from "./in-time.js";

/** Empty messages in a row that are taken; an endless stream of them would keep a reader for ever. */
const MAX_EMPTY_MESSAGES = 1000;

/** A message with a piece of content. */
export interface ContentMessage {
  readonly data: Uint8Array;
}

/** Content that comes more slowly than this is not worth waiting for: 16 KiB in that time. */
export const CONTENT_PACE: Pace<ContentMessage> = {
  windowMs: SILENCE_MS,
  amount: 16 * 1024,
  measure: ({ data }) => data.byteLength,
};

/**
 * What `Read` answers for `digest`, not verified, and never more than `maxBytes`. Empty messages are
 * left out.
 *
 * @throws {@link CastoreError} "CORRUPT" as soon as there are more bytes, "MISSING_REFERENCE" when the
 *   blob is not there
 */
export async function* readContents(
  transport: Transport,
  digest: B3Digest,
  maxBytes: number,
  options: CallOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let length = 0;
  const input = { digest: digest.toBytes() };
  const { read } = BlobServiceDesc.method;
  const pace = CONTENT_PACE;
  try {
    const messages = callServerStream(transport, read, input, { ...options, pace });
    for await (const data of nonEmpty(messages, digest)) {
      length += data.byteLength;
      if (length > maxBytes) throw corrupt(digest, `it is longer than ${maxBytes} bytes`);
      yield data;
    }
  } catch (error) {
    if (options.signal?.aborted === true && error === options.signal.reason) throw error;
    throw connectToCastoreError(error, `Cannot read blob ${digest}`);
  }
}

/**
 * What is in messages of content, without those that are empty.
 *
 * @throws {@link CastoreError} "CORRUPT" when there is no end of these
 */
export async function* nonEmpty(
  messages: AsyncIterable<ContentMessage>,
  digest: B3Digest,
): AsyncGenerator<Uint8Array, void, undefined> {
  let empty = 0;
  for await (const { data } of messages) {
    empty = data.byteLength === 0 ? empty + 1 : 0;
    if (empty > MAX_EMPTY_MESSAGES) throw corrupt(digest, "the server sends nothing, endlessly");
    if (data.byteLength > 0) yield plainBytes(data);
  }
}

/** A blob that fits into memory: read whole and verified. */
export async function readSmall(
  transport: Transport,
  { digest, size }: ChunkMeta,
  options: CallOptions,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of readContents(transport, digest, size, options)) parts.push(part);
  const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(parts);
  verify(digest, bytes, size);
  return bytes;
}

/**
 * All bytes of a blob. Each chunk is verified before it is given out, and the whole before the end.
 *
 * @param chunks - how it is cut; they add up to `size`
 */
export async function* readChunked(
  contents: AsyncIterable<Uint8Array>,
  digest: B3Digest,
  chunks: readonly ChunkMeta[],
): AsyncGenerator<Uint8Array, void, undefined> {
  const whole = createBlake3();
  const cutter = new ChunkCutter(chunks);
  try {
    for await (const piece of contents) {
      for (const { chunk, bytes } of cutter.push(piece)) {
        verify(chunk.digest, bytes, chunk.size);
        whole.update(bytes);
        yield bytes;
      }
    }
    if (!cutter.atEnd) throw corrupt(digest, "it is shorter than its chunks");
    if (!whole.digest().equals(digest)) throw corrupt(digest, "its chunks do not make it up");
  } finally {
    whole.dispose();
  }
}

/** All bytes of a blob that is too large to be held and of which no chunks are known. */
export async function* readUnchunked(
  contents: AsyncIterable<Uint8Array>,
  digest: B3Digest,
  size: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const whole = createBlake3();
  let length = 0;
  try {
    for await (const piece of contents) {
      length += piece.byteLength;
      whole.update(piece);
      if (length === size) checkWhole(digest, whole.digest());
      yield piece;
    }
    if (length !== size) throw corrupt(digest, `it has ${length} bytes instead of ${size}`);
  } finally {
    whole.dispose();
  }
}

/** Puts pieces together, or takes them apart, at the borders of chunks. */
class ChunkCutter {
  readonly #chunks: readonly ChunkMeta[];
  #index = 0;
  #partial: Uint8Array | undefined;
  #filled = 0;

  constructor(chunks: readonly ChunkMeta[]) {
    this.#chunks = chunks;
  }

  get atEnd(): boolean {
    return this.#index === this.#chunks.length;
  }

  *push(piece: Uint8Array): Generator<{ chunk: ChunkMeta; bytes: Uint8Array }, void, undefined> {
    for (let offset = 0; offset < piece.byteLength; ) {
      // There are no bytes past the last chunk: the contents are cut off at the sum of their sizes.
      const chunk = this.#chunks[this.#index] as ChunkMeta;
      const part = piece.subarray(offset, offset + chunk.size - this.#filled);
      offset += part.byteLength;
      if (part.byteLength === chunk.size) {
        this.#index++;
        yield { chunk, bytes: part };
        continue;
      }
      this.#partial ??= new Uint8Array(chunk.size);
      this.#partial.set(part, this.#filled);
      this.#filled += part.byteLength;
      if (this.#filled < chunk.size) return;
      const bytes = this.#partial;
      this.#partial = undefined;
      this.#filled = 0;
      this.#index++;
      yield { chunk, bytes };
    }
  }
}

function verify(digest: B3Digest, bytes: Uint8Array, size: number): void {
  if (bytes.byteLength !== size) {
    throw corrupt(digest, `it has ${bytes.byteLength} bytes instead of ${size}`);
  }
  checkWhole(digest, blake3(bytes));
}

function checkWhole(digest: B3Digest, actual: B3Digest): void {
  if (!actual.equals(digest)) throw corrupt(digest, `the bytes that came are ${actual}`);
}

function corrupt(digest: B3Digest, state: string): CastoreError {
  return new CastoreError("CORRUPT", `Cannot read blob ${digest}: ${state}`);
}
