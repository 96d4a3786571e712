import type { BlobReader, ByteRange, CallOptions } from "../blobservice/blob-service.js";
import { type ResolvedRange, resolveRange } from "../blobservice/byte-range.js";
import { CastoreError } from "../errors.js";
import { createBlake3 } from "../hasher/blake3.js";
import { LinkedAbort } from "../linked-abort.js";
import type { ChunkLayout } from "./chunk-layout.js";
import { type EdgeReads, MAX_EDGE_BYTES } from "./edge-reads.js";
import type { FarBlob, FarBlobs } from "./far-blobs.js";
import type { NearBlobs } from "./near-blobs.js";

/** Chunks that are asked for ahead of the one that is given out, of a blob that is read in order. */
const READ_AHEAD = 8;

export interface CachedReaderOptions {
  readonly near: NearBlobs;
  readonly far: FarBlobs;
  /** Where far proves parts of blobs. */
  readonly edges: EdgeReads | undefined;
  readonly trustsChunkLists: boolean;
}

/**
 * A blob that far has, in chunks. Those that a stream touches are taken from near, and from far where near does
 * not have them; then near has them too. A stream over the whole blob is held against its digest before it ends.
 */
export class ChunkedCachedReader implements BlobReader {
  readonly size: number;
  readonly #blob: FarBlob;
  readonly #layout: ChunkLayout;
  readonly #options: CachedReaderOptions;

  constructor(blob: FarBlob, layout: ChunkLayout, options: CachedReaderOptions) {
    this.size = blob.size;
    this.#blob = blob;
    this.#layout = layout;
    this.#options = options;
  }

  async *stream(
    range?: ByteRange,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const resolved = resolveRange(this.size, range);
    options.signal?.throwIfAborted();
    if (resolved.start === 0 && resolved.end === this.size) {
      yield* this.#whole(options);
    } else {
      yield* this.#part(resolved, options, this.#options.trustsChunkLists);
    }
    options.signal?.throwIfAborted();
  }

  /** What is near is taken wherever the list names it: the digest of the whole tells whether that was right. */
  async *#whole(options: CallOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const hash = createBlake3();
    const range = { start: 0, end: this.size };
    try {
      for await (const bytes of this.#part(range, options, true)) {
        hash.update(bytes);
        yield bytes;
      }
      if (hash.digest().equals(this.#blob.digest)) this.#markAll();
      else this.#refuse();
    } finally {
      hash.dispose();
    }
  }

  #markAll(): void {
    for (let i = 0; i < this.#layout.count; i++) this.#options.far.mark(this.#blob, i);
    this.#options.near.assemble(this.#blob, this.#layout);
  }

  #refuse(): never {
    this.#options.far.forget(this.#blob);
    throw new CastoreError(
      "CORRUPT",
      `Cannot read blob ${this.#blob.digest}: its chunks do not make it up`,
    );
  }

  async *#part(
    { start, end }: ResolvedRange,
    { signal }: CallOptions,
    trustsList: boolean,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const layout = this.#layout;
    const call = new LinkedAbort(signal);
    const ahead: Promise<Uint8Array>[] = [];
    let next = layout.indexOf(start);
    try {
      for (let i = next; i < layout.count && layout.startOf(i) < end; i++) {
        for (; next <= i + READ_AHEAD && next < layout.count; next++) {
          if (layout.startOf(next) >= end) break;
          const bytes = this.#bytes(next, { start, end }, trustsList, call.signal);
          // It may fail before its turn comes; until then nobody listens.
          bytes.catch(() => {});
          ahead.push(bytes);
        }
        yield await (ahead.shift() as Promise<Uint8Array>);
      }
    } finally {
      call.end();
    }
  }

  /** What is wanted of a chunk. */
  async #bytes(
    i: number,
    { start, end }: ResolvedRange,
    trustsList: boolean,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { edges, near } = this.#options;
    const at = this.#layout.startOf(i);
    const from = Math.max(start, at);
    const to = Math.min(end, this.#layout.startOf(i + 1));
    const goesOn = start < at || to < end;
    if (edges !== undefined && goesOn && to - from < MAX_EDGE_BYTES && !this.#layout.isMarked(i)) {
      return edges.read(this.#blob, from, to, { signal });
    }
    const chunk = await near.chunk(this.#blob, this.#layout, i, { trustsList, signal });
    return chunk.subarray(from - at, to - at);
  }
}
