import type { Transport } from "@connectrpc/connect";
import { BlobService as BlobServiceDesc } from "@tvix/protos/castore";
import type { CallOptions, PutManyOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import { type Blake3Hash, blake3, createBlake3 } from "../hasher/blake3.js";
import { connectToCastoreError } from "../rpc/error-mapping.js";
import { BLOBS_MESSAGE_BYTES, CONTENT_MESSAGE_BYTES } from "../rpc/limits.js";
import { answeredDigest, type BatchClient, sameDigest } from "./batch-client.js";
import { callClientStream } from "./call.js";
import type { Uploader } from "./chunked-upload.js";
import { mapLimited } from "./map-limited.js";

/** Messages of `PutBlobs` that are on their way at a time, of one call of ours. */
const MAX_MESSAGES_IN_FLIGHT = 4;

/** Stores what `pieces` yield with one `Put`. Closing them, and ending their waits, is for the caller. */
export async function putStream(
  transport: Transport,
  pieces: AsyncIterable<Uint8Array>,
  options: CallOptions,
): Promise<B3Digest> {
  const contents = new Contents(pieces);
  try {
    const { put } = BlobServiceDesc.method;
    const { digest } = await callClientStream(transport, put, contents.messages(), options);
    return sameDigest(contents.hash.digest(), answeredDigest(digest));
  } catch (error) {
    if (contents.hasFailed || isAbort(error, options)) throw error;
    throw connectToCastoreError(error, "Cannot store a blob");
  } finally {
    contents.hash.dispose();
  }
}

/** Pieces of any length as messages of {@link CONTENT_MESSAGE_BYTES}, in memory that nobody else writes to. */
class Contents {
  readonly hash: Blake3Hash = createBlake3();
  /** Whether the pieces, not the call, have failed. */
  hasFailed = false;
  readonly #pieces: AsyncIterable<Uint8Array>;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces;
  }

  /** The last message waits for the end of the pieces: without that, the blob has not been sent. */
  async *messages(): AsyncGenerator<{ data: Uint8Array }, void, undefined> {
    let data = new Uint8Array(CONTENT_MESSAGE_BYTES);
    let filled = 0;
    for await (const piece of this.#watched()) {
      for (let offset = 0; offset < piece.byteLength; ) {
        if (filled === data.byteLength) {
          this.hash.update(data);
          yield { data };
          data = new Uint8Array(CONTENT_MESSAGE_BYTES);
          filled = 0;
        }
        const part = piece.subarray(offset, offset + data.byteLength - filled);
        data.set(part, filled);
        filled += part.byteLength;
        offset += part.byteLength;
      }
    }
    if (filled === 0) return;
    data = data.subarray(0, filled);
    this.hash.update(data);
    yield { data };
  }

  async *#watched(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* this.#pieces;
    } catch (error) {
      this.hasFailed = true;
      throw error;
    }
  }
}

/**
 * Stores blobs, none above {@link BLOBS_MESSAGE_BYTES}; sends those that the server lacks: all of them with
 * `areMissing`, which saves a round trip.
 *
 * @returns the digest of each; `undefined` when the server has no batches
 */
export async function putMissing(
  { batch, counter }: Uploader,
  contents: readonly Uint8Array[],
  options: PutManyOptions,
): Promise<B3Digest[] | undefined> {
  const digests = contents.map((content) => blake3(content));
  const distinct = new Map(digests.map((digest, i) => [digest.key, i]));
  const candidates = [...distinct.values()];
  counter.begin(digests);
  try {
    const asked = candidates.map((i) => digests[i] as B3Digest);
    const missing =
      options.areMissing === true
        ? asked.map(() => true)
        : await batch.findMissingBlobs(asked, options);
    if (missing === undefined) return undefined;
    const wanted = new Set(candidates.filter((_, i) => missing[i]));
    contents.forEach((content, i) => {
      counter.count(digests[i] as B3Digest, content.byteLength, wanted.has(i));
    });
    return (await putAll(batch, contents, digests, [...wanted], options)) ? digests : undefined;
  } finally {
    counter.end(digests);
  }
}

/** @returns whether the server takes batches */
async function putAll(
  batch: BatchClient,
  contents: readonly Uint8Array[],
  digests: readonly B3Digest[],
  wanted: readonly number[],
  options: CallOptions,
): Promise<boolean> {
  const messages = groupBySize(wanted, (i) => (contents[i] as Uint8Array).byteLength);
  const stored = await mapLimited(
    messages,
    MAX_MESSAGES_IN_FLIGHT,
    async (message, call) => {
      const blobs = message.map((i) => contents[i] as Uint8Array);
      const expected = message.map((i) => digests[i] as B3Digest);
      return await batch.putBlobs(blobs, expected, call);
    },
    options,
  );
  return !stored.includes(undefined);
}

/** Bytes that each blob of a message counts for beside its content: its length, and a tag and that again. */
const CONTENT_OVERHEAD = 12;

/** Most blobs of one message; the server takes four times as many. */
const MAX_BLOBS_PER_MESSAGE = 4096;

/** Splits a list into runs of at most {@link BLOBS_MESSAGE_BYTES}; an item above that is alone. */
function groupBySize(items: readonly number[], sizeOf: (item: number) => number): number[][] {
  const groups: number[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const size = sizeOf(item) + CONTENT_OVERHEAD;
    const last = groups.at(-1);
    if (
      last === undefined ||
      bytes + size > BLOBS_MESSAGE_BYTES ||
      last.length === MAX_BLOBS_PER_MESSAGE
    ) {
      groups.push([item]);
      bytes = size;
    } else {
      last.push(item);
      bytes += size;
    }
  }
  return groups;
}

function isAbort(error: unknown, { signal }: CallOptions): boolean {
  return signal?.aborted === true && error === signal.reason;
}
