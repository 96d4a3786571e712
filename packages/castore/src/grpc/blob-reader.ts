import type { Transport } from "@connectrpc/connect";
import type { BlobReader, ByteRange, CallOptions, ChunkMeta } from "../blobservice/blob-service.js";
import { type ResolvedRange, resolveRange } from "../blobservice/byte-range.js";
import { copyBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { LinkedAbort } from "../linked-abort.js";
import { readChunked, readContents, readSmall, readUnchunked } from "./remote-reading.js";

/** Blobs up to this size, of which no chunks are known, are verified whole before anything is given out. */
export const MAX_HELD_BYTES: number = 4 * 1024 * 1024;

/** Chunks that are fetched ahead of the one that is given out, for a part of a blob. */
const READ_AHEAD = 4;

/** An open blob of a remote service. */
export class GrpcBlobReader implements BlobReader {
  readonly size: number;
  readonly #transport: Transport;
  readonly #digest: B3Digest;
  readonly #chunks: readonly ChunkMeta[];
  readonly #content: Uint8Array | undefined;

  /**
   * @param chunks - how it is cut, adding up to `size`; empty when that is not known
   * @param content - all of it, verified, when it had to be read already
   */
  constructor(
    transport: Transport,
    digest: B3Digest,
    size: number,
    chunks: readonly ChunkMeta[],
    content?: Uint8Array,
  ) {
    this.#transport = transport;
    this.#digest = digest;
    this.size = size;
    this.#chunks = chunks;
    this.#content = content;
  }

  async *stream(
    range?: ByteRange,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const resolved = resolveRange(this.size, range);
    options.signal?.throwIfAborted();
    const isWhole = resolved.start === 0 && resolved.end === this.size;
    if (resolved.start === resolved.end && !isWhole) return;
    for await (const piece of this.#pieces(resolved, isWhole, options)) {
      yield piece;
      options.signal?.throwIfAborted();
    }
  }

  #pieces(
    range: ResolvedRange,
    isWhole: boolean,
    options: CallOptions,
  ): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
    if (this.#content !== undefined) {
      if (this.size === 0) return [];
      return [copyBytes(this.#content.subarray(range.start, range.end))];
    }
    if (this.#chunks.length > 0 && !isWhole) return this.#chunksBetween(range, options);
    return cut(this.#whole(options), range);
  }

  async *#whole(options: CallOptions): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#chunks.length === 0 && this.size <= MAX_HELD_BYTES) {
      const bytes = await readSmall(
        this.#transport,
        { digest: this.#digest, size: this.size },
        options,
      );
      if (bytes.byteLength > 0) yield bytes;
      return;
    }
    const contents = readContents(this.#transport, this.#digest, this.size, options);
    if (this.#chunks.length > 0) yield* readChunked(contents, this.#digest, this.#chunks);
    else yield* readUnchunked(contents, this.#digest, this.size);
  }

  /** A part: only the chunks that it touches, several at a time. */
  async *#chunksBetween(
    { start, end }: ResolvedRange,
    { signal }: CallOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const wanted = overlapping(this.#chunks, start, end);
    const call = new LinkedAbort(signal);
    const ahead: Promise<Uint8Array>[] = [];
    try {
      for (const [i, { at }] of wanted.entries()) {
        for (const { chunk } of wanted.slice(i + ahead.length, i + 1 + READ_AHEAD)) {
          const read = readSmall(this.#transport, chunk, { signal: call.signal });
          read.catch(() => {});
          ahead.push(read);
        }
        const bytes = await (ahead.shift() as Promise<Uint8Array>);
        yield bytes.subarray(Math.max(0, start - at), Math.min(bytes.byteLength, end - at));
      }
    } finally {
      call.end();
    }
  }
}

/** A chunk and where it starts. */
interface PlacedChunk {
  readonly chunk: ChunkMeta;
  readonly at: number;
}

function overlapping(chunks: readonly ChunkMeta[], start: number, end: number): PlacedChunk[] {
  const found: PlacedChunk[] = [];
  let at = 0;
  for (const chunk of chunks) {
    if (at >= end) break;
    if (at + chunk.size > start) found.push({ chunk, at });
    at += chunk.size;
  }
  return found;
}

/** The part of `pieces` in `range`. Reads on to the end, where it is known whether the bytes were right. */
async function* cut(
  pieces: AsyncIterable<Uint8Array>,
  { start, end }: ResolvedRange,
): AsyncGenerator<Uint8Array, void, undefined> {
  let at = 0;
  for await (const piece of pieces) {
    const part = piece.subarray(Math.max(0, start - at), Math.max(0, end - at));
    at += piece.byteLength;
    if (part.byteLength > 0) yield part;
  }
}
