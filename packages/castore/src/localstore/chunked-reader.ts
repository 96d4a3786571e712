import type { BlobReader, ByteRange, CallOptions, ChunkMeta } from "../blobservice/blob-service.js";
import { resolveRange } from "../blobservice/byte-range.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { createBlake3 } from "../hasher/blake3.js";
import { RecordKind } from "./pack-format.js";
import type { StoreCore } from "./store-core.js";

/** Chunks that are read ahead of the one that is given out. */
const READ_AHEAD = 4;

/**
 * A blob of several chunks. Each is verified before any of its bytes is given out; a stream over the
 * whole blob is also held against the digest of the blob before it ends.
 */
export class ChunkedReader implements BlobReader {
  readonly size: number;
  readonly #core: StoreCore;
  readonly #digest: B3Digest;
  readonly #chunks: readonly ChunkMeta[];
  /** Where each chunk starts, and at the end where the last one ends. */
  readonly #starts: Float64Array;

  constructor(core: StoreCore, digest: B3Digest, chunks: readonly ChunkMeta[]) {
    this.#core = core;
    this.#digest = digest;
    this.#chunks = chunks;
    this.#starts = new Float64Array(chunks.length + 1);
    chunks.forEach((chunk, i) => {
      this.#starts[i + 1] = (this.#starts[i] as number) + chunk.size;
    });
    this.size = this.#starts[chunks.length] as number;
  }

  async *stream(
    range?: ByteRange,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { start, end } = resolveRange(this.size, range);
    const isWhole = start === 0 && end === this.size;
    const hash = isWhole ? createBlake3() : undefined;
    try {
      for await (const { bytes, at } of this.#chunksBetween(start, end, options.signal)) {
        hash?.update(bytes);
        yield bytes.subarray(Math.max(0, start - at), Math.min(bytes.byteLength, end - at));
      }
      if (hash !== undefined && !hash.digest().equals(this.#digest)) {
        throw new CastoreError(
          "CORRUPT",
          `Cannot read blob ${this.#digest}: its chunks do not make it up`,
        );
      }
    } finally {
      hash?.dispose();
    }
  }

  async *#chunksBetween(
    start: number,
    end: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<{ bytes: Uint8Array; at: number }, void, undefined> {
    const ahead: Promise<Uint8Array>[] = [];
    let next = this.#indexOf(start);
    for (let current = next; (this.#starts[current] as number) < end; current++) {
      signal?.throwIfAborted();
      while (
        next <= current + READ_AHEAD &&
        next < this.#chunks.length &&
        (this.#starts[next] as number) < end
      ) {
        const read = this.#read(this.#chunks[next] as ChunkMeta);
        // It may fail before its turn comes; until then nobody listens.
        read.catch(() => {});
        ahead.push(read);
        next++;
      }
      yield {
        bytes: await (ahead.shift() as Promise<Uint8Array>),
        at: this.#starts[current] as number,
      };
    }
    signal?.throwIfAborted();
  }

  /** The chunk that holds byte `offset`. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle + 1] as number) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  async #read(chunk: ChunkMeta): Promise<Uint8Array> {
    const bytes = await this.#core.read(RecordKind.CHUNK, chunk.digest.toBytes());
    if (bytes === undefined) {
      throw new CastoreError(
        "MISSING_REFERENCE",
        `Cannot read blob ${this.#digest}: its chunk ${chunk.digest} is not stored`,
      );
    }
    if (bytes.byteLength !== chunk.size) {
      throw new CastoreError(
        "CORRUPT",
        `Cannot read blob ${this.#digest}: its chunk ${chunk.digest} has ${bytes.byteLength} bytes instead of ${chunk.size}`,
      );
    }
    return bytes;
  }
}
