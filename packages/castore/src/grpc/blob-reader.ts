import type { Transport } from "@connectrpc/connect";
import type { SliceRange } from "../bao/tree-shape.js";
import type { BlobReader, ByteRange, CallOptions, ChunkMeta } from "../blobservice/blob-service.js";
import { type ResolvedRange, resolveRange } from "../blobservice/byte-range.js";
import { copyBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { MAX_CHUNK_BYTES } from "../rpc/limits.js";
import type { SingleFlight } from "../single-flight.js";
import type { BlobLayouts } from "./blob-layouts.js";
import type { RangeClient } from "./range-client.js";
import { readAhead } from "./read-ahead.js";
import { readChunked, readContents, readSmall, readUnchunked } from "./remote-reading.js";

/** Blobs up to this size, of which no chunks are known, are verified whole before anything is given out. */
export const MAX_HELD_BYTES: number = 4 * 1024 * 1024;

/** Blobs up to this size are read whole where a part is wanted: a part with its proof is hardly shorter. */
const MAX_UNPROVED_BYTES: number = 64 * 1024;

/** How long the slices are in which a part is read. Whole groups, so that none comes twice. */
const SLICE_BYTES: number = 1024 * 1024;

/** Slices, or chunks, that are fetched ahead of the one that is given out, for a part of a blob. */
const READ_AHEAD = 4;

/** What the readers of one client share. */
export interface RemoteBlobs {
  readonly transport: Transport;
  readonly layouts: BlobLayouts;
  readonly ranges: RangeClient;
  /** Whether a chunk list is believed. */
  readonly trustsChunkLists: boolean;
  /** Chunk lists that are compared with their blobs. */
  readonly proofs: SingleFlight<void>;
}

/** An open blob of a remote service. */
export class GrpcBlobReader implements BlobReader {
  /** What the server says; proved by every read that reaches the end. */
  readonly size: number;
  readonly #remote: RemoteBlobs;
  readonly #digest: B3Digest;
  readonly #content: Uint8Array | undefined;

  /** @param content - all of it, verified, when it had to be read already */
  constructor(remote: RemoteBlobs, digest: B3Digest, size: number, content?: Uint8Array) {
    this.#remote = remote;
    this.#digest = digest;
    this.size = size;
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
    try {
      for await (const piece of this.#pieces(resolved, isWhole, options)) {
        yield piece;
        options.signal?.throwIfAborted();
      }
    } catch (error) {
      // What the server said may have been wrong: it is asked anew next time.
      const isWrong =
        CastoreError.is(error, "MISSING_REFERENCE") || CastoreError.is(error, "CORRUPT");
      if (isWrong) this.#remote.layouts.forget(this.#digest);
      throw error;
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
    return isWhole ? this.#whole(options) : this.#part(range, options);
  }

  async *#whole(options: CallOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const { transport } = this.#remote;
    if (this.size <= MAX_HELD_BYTES && this.#hasNoKnownChunks()) {
      const bytes = await readSmall(transport, { digest: this.#digest, size: this.size }, options);
      if (bytes.byteLength > 0) yield bytes;
      return;
    }
    const chunks = await this.#chunks(options);
    const contents = readContents(transport, this.#digest, this.size, options);
    if (chunks.length > 0) {
      yield* readChunked(contents, this.#digest, chunks);
      this.#remote.layouts.noteProof(this.#digest, chunks);
    } else yield* readUnchunked(contents, this.#digest, this.size);
  }

  async *#part(
    range: ResolvedRange,
    options: CallOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.size <= MAX_UNPROVED_BYTES) {
      yield* cut(this.#whole(options), range);
      return;
    }
    const isProved = this.#remote.ranges.isSupported !== false;
    const start = isProved ? yield* this.#slices(range, options) : range.start;
    if (start === range.end) return;
    const rest = { start, end: range.end };
    const chunks = await this.#provedChunks(options);
    if (chunks.length > 0) yield* this.#chunksBetween(chunks, rest, options);
    else yield* cut(this.#whole(options), rest);
  }

  /**
   * A part in slices, each verified against the digest of the blob before it is given out.
   *
   * @returns how far that went: less than to its end when the server has no slices to give
   */
  async *#slices(
    range: ResolvedRange,
    options: CallOptions,
  ): AsyncGenerator<Uint8Array, number, undefined> {
    const { ranges } = this.#remote;
    const blob = { digest: this.#digest, size: this.size };
    // One question alone, as long as it is not known whether the server has an answer.
    const ahead = (): number => (ranges.isSupported === true ? READ_AHEAD : 0);
    const slices = readAhead(
      slicesOf(range),
      ahead,
      (part, call) => ranges.read(blob, part, call),
      options,
    );
    let at = range.start;
    for await (const pieces of slices) {
      if (pieces === undefined) return at;
      for (const piece of pieces) {
        at += piece.byteLength;
        yield piece;
      }
    }
    return at;
  }

  /** A part in the chunks that it touches, each verified. */
  async *#chunksBetween(
    chunks: readonly ChunkMeta[],
    { start, end }: ResolvedRange,
    options: CallOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const wanted = overlapping(chunks, start, end);
    const parts = readAhead(
      wanted,
      () => READ_AHEAD,
      async ({ chunk, at }, call) => ({
        at,
        bytes: await readSmall(this.#remote.transport, chunk, call),
      }),
      options,
    );
    for await (const { at, bytes } of parts) {
      yield bytes.subarray(Math.max(0, start - at), Math.min(bytes.byteLength, end - at));
    }
  }

  /** {@link #chunks}, which make up the blob: that takes reading all of it, once. */
  async #provedChunks(options: CallOptions): Promise<readonly ChunkMeta[]> {
    const { layouts, proofs, trustsChunkLists } = this.#remote;
    const chunks = await this.#chunks(options);
    if (chunks.length === 0 || trustsChunkLists || layouts.isProved(this.#digest)) return chunks;
    const prove = (signal: AbortSignal) => this.#prove(chunks, { signal });
    await proofs.run(this.#digest.key, prove, options.signal);
    return chunks;
  }

  /** @throws {@link CastoreError} "CORRUPT" when the chunks do not make up the blob */
  async #prove(chunks: readonly ChunkMeta[], options: CallOptions): Promise<void> {
    const { layouts, transport } = this.#remote;
    const contents = readContents(transport, this.#digest, this.size, options);
    const pieces = readChunked(contents, this.#digest, chunks);
    while ((await pieces.next()).done !== true);
    layouts.noteProof(this.#digest, chunks);
  }

  #hasNoKnownChunks(): boolean {
    const chunks = this.#remote.layouts.knownChunks(this.#digest);
    return chunks === undefined || chunks.length === 0;
  }

  /** How the blob is cut; nothing where that is not known, or chunks are too long to be held. */
  async #chunks(options: CallOptions): Promise<readonly ChunkMeta[]> {
    const chunks = await this.#remote.layouts.chunksOf(this.#digest, options);
    if (chunks === undefined) {
      throw new CastoreError("MISSING_REFERENCE", `Cannot read blob ${this.#digest}: it is gone`);
    }
    return chunks.every(({ size }) => size <= MAX_CHUNK_BYTES) ? chunks : [];
  }
}

/** A range in slices that end between groups. */
function* slicesOf({ start, end }: ResolvedRange): Generator<SliceRange, void, undefined> {
  for (let offset = start; offset < end; ) {
    const next = Math.min(end, (Math.floor(offset / SLICE_BYTES) + 1) * SLICE_BYTES);
    yield { offset, length: next - offset };
    offset = next;
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
