import type { BlobService, CallOptions, ChunkMeta } from "../blobservice/blob-service.js";
import { type BlobChunk, canPutChunked } from "../blobservice/chunked-blob-upload.js";
import { copyBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { blake3, createBlake3 } from "../hasher/blake3.js";
import { Semaphore } from "../semaphore.js";
import { SingleFlight } from "../single-flight.js";
import type { ChunkLayout } from "./chunk-layout.js";
import type { FarBlob, FarBlobs } from "./far-blobs.js";

/** Chunks that are named in one run when near puts a blob together. */
const CHUNKS_PER_RUN = 1000;

/** Blobs of which it is remembered that near could not put them together. */
const MAX_FAILED = 10_000;

export interface NearBlobsOptions {
  /** Bytes that are asked of far, or have come and are not stored yet, at a time. */
  readonly maxBytesInFlight: number;
  readonly onError: (error: unknown) => void;
}

/** A piece of a far blob: one of its chunks, or all of it where no chunks are known. */
interface Piece {
  readonly key: string;
  readonly offset: number;
  readonly length: number;
  readonly digest: B3Digest;
}

/** A piece that has come and is being stored. */
interface StoredPiece {
  readonly blob: B3Digest;
  readonly bytes: Uint8Array;
  readonly done: Promise<void>;
}

/**
 * The store before a cache, and how it is filled. A piece that was fetched is held against its digest, handed out, and
 * stored behind the back of its reader under the digest of its own bytes. When near cannot store it, it is fetched
 * again next time.
 */
export class NearBlobs {
  readonly #near: BlobService;
  readonly #far: FarBlobs;
  readonly #onError: (error: unknown) => void;
  readonly #inFlight: Semaphore;
  readonly #fetches = new SingleFlight<Uint8Array>();
  /** Pieces that have come and are not stored yet. */
  readonly #storing = new Map<string, StoredPiece>();
  readonly #assembling = new Set<string>();
  /** Blobs that near could not put together; that is tried again when another piece has come. */
  readonly #failed = new Set<string>();
  /** Blobs that near has put together, of which readers are still open. */
  readonly #assembled = new WeakSet<ChunkLayout>();
  readonly #background = new Set<Promise<void>>();

  constructor(near: BlobService, far: FarBlobs, options: NearBlobsOptions) {
    this.#near = near;
    this.#far = far;
    this.#onError = options.onError;
    this.#inFlight = new Semaphore(options.maxBytesInFlight);
  }

  /**
   * A chunk of a blob, as bytes that belong to the caller.
   *
   * @param trustsList - whether a chunk that near has is taken also where it is not proved to be in its place
   */
  async chunk(
    blob: FarBlob,
    layout: ChunkLayout,
    i: number,
    { trustsList, ...options }: CallOptions & { readonly trustsList: boolean },
  ): Promise<Uint8Array> {
    const digest = layout.digestOf(i);
    const length = layout.lengthOf(i);
    const start = layout.startOf(i);
    // A list that turned out wrong may have had another chunk with that number.
    const key = `${blob.digest.key}:${start}:${digest.key}`;
    const storing = this.#storing.get(key);
    if (storing !== undefined) return copyBytes(storing.bytes);
    if (trustsList || layout.isMarked(i)) {
      const near = await this.#readNear({ digest, size: length }, options);
      if (near !== undefined) {
        if (layout.isProved && !this.#failed.has(blob.digest.key)) this.assemble(blob, layout);
        return near;
      }
    }
    const piece = { key, offset: start, length, digest };
    return this.#fetched(blob, piece, options, () => {
      this.#far.mark(blob, i);
      this.#failed.delete(blob.digest.key);
      this.#assembled.delete(layout);
      if (layout.isProved) this.assemble(blob, layout);
    });
  }

  /** All of a short blob of which no chunks are known, as bytes that belong to the caller. */
  async short(blob: FarBlob, options: CallOptions): Promise<Uint8Array> {
    const { digest, size } = blob;
    const { key } = digest;
    const storing = this.#storing.get(key);
    if (storing !== undefined) return copyBytes(storing.bytes);
    const near = await this.#readNear({ digest, size }, options);
    if (near !== undefined) return near;
    return this.#fetched(blob, { key, offset: 0, length: size, digest }, options, () => {
      this.#far.forget(blob);
    });
  }

  /** Stores blobs that have come together, behind the back of their reader; they must stay as they are. */
  async keep(blobs: readonly Uint8Array[], options: CallOptions): Promise<void> {
    if (blobs.length === 0) return;
    const bytes = blobs.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const release = await this.#inFlight.acquire(options.signal, bytes);
    const store = async (): Promise<void> => {
      await this.#near.putMany(blobs);
    };
    this.inBackground(store().finally(release));
  }

  /** All of a long blob of which no chunks are known: its bytes, held against its digest before the last. */
  async *long(blob: FarBlob, options: CallOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const hash = createBlake3();
    let length = 0;
    try {
      for await (const bytes of this.#far.read(blob, 0, blob.size, options)) {
        hash.update(bytes);
        length += bytes.byteLength;
        if (length === blob.size) assertDigest(blob.digest, hash.digest());
        yield bytes;
      }
    } finally {
      hash.dispose();
    }
  }

  /** Has near put a blob together of its chunks, in the background, once. */
  assemble(blob: FarBlob, layout: ChunkLayout): void {
    const { key } = blob.digest;
    if (this.#assembling.has(key) || this.#assembled.has(layout)) return;
    this.#assembling.add(key);
    const forget = (): void => {
      this.#assembling.delete(key);
    };
    this.inBackground(this.#assemble(blob, layout).finally(forget));
  }

  /** Does `work` behind the back of the caller; what it fails with is reported. */
  inBackground(work: Promise<void>): void {
    const task = work.catch(this.#onError).then(() => {
      this.#background.delete(task);
    });
    this.#background.add(task);
  }

  /** Fulfils when nothing goes on in the background any more. */
  async settled(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  async #fetched(
    blob: FarBlob,
    piece: Piece,
    options: CallOptions,
    stored: () => void,
  ): Promise<Uint8Array> {
    const fetch = (signal: AbortSignal) => this.#fetch(blob, piece, { signal }, stored);
    return copyBytes(await this.#fetches.run(piece.key, fetch, options.signal));
  }

  async #fetch(
    blob: FarBlob,
    piece: Piece,
    options: CallOptions,
    stored: () => void,
  ): Promise<Uint8Array> {
    // It may have come since it was looked for.
    const storing = this.#storing.get(piece.key);
    if (storing !== undefined) return storing.bytes;
    const release = await this.#inFlight.acquire(options.signal, piece.length);
    try {
      const bytes = await this.#readFar(blob, piece, options);
      const done = this.#store(piece, bytes, stored).finally(release);
      this.#storing.set(piece.key, { blob: blob.digest, bytes, done });
      this.inBackground(done);
      return bytes;
    } catch (error) {
      release();
      throw error;
    }
  }

  async #readFar(blob: FarBlob, piece: Piece, options: CallOptions): Promise<Uint8Array> {
    const bytes = new Uint8Array(piece.length);
    let at = 0;
    for await (const part of this.#far.read(blob, piece.offset, piece.length, options)) {
      bytes.set(part, at);
      at += part.byteLength;
    }
    try {
      assertContent(piece.digest, bytes);
    } catch (error) {
      // Either far or its list lies: neither is of any use any more.
      this.#far.forget(blob);
      throw error;
    }
    return bytes;
  }

  async #store(piece: Piece, bytes: Uint8Array, stored: () => void): Promise<void> {
    try {
      await this.#near.putMany([bytes]);
      stored();
    } finally {
      this.#storing.delete(piece.key);
    }
  }

  /** A blob that near has; `undefined` also when near fails, which is reported: far may have it. */
  async #readNear(
    { digest, size }: ChunkMeta,
    options: CallOptions,
  ): Promise<Uint8Array | undefined> {
    try {
      const reader = await this.#near.openRead(digest, options);
      if (reader?.size !== size) return undefined;
      const bytes = new Uint8Array(size);
      let at = 0;
      for await (const part of reader.stream({}, options)) {
        bytes.set(part, at);
        at += part.byteLength;
      }
      return at === size ? bytes : undefined;
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#onError(error);
      return undefined;
    }
  }

  async #assemble(blob: FarBlob, layout: ChunkLayout): Promise<void> {
    const storing = [...this.#storing.values()].filter((piece) => piece.blob.equals(blob.digest));
    // Those that fail are reported where they were stored, and missed below.
    await Promise.allSettled(storing.map(({ done }) => done));
    try {
      if (canPutChunked(this.#near)) await this.#near.putChunked(runsOf(blob.digest, layout));
      else await this.#join(blob, layout);
      this.#assembled.add(layout);
      this.#far.forget(blob);
    } catch (error) {
      // The chunks are all in near, and do not make up the blob.
      if (CastoreError.is(error, "INVALID_ARGUMENT")) this.#far.forget(blob);
      if (this.#failed.size >= MAX_FAILED) this.#failed.clear();
      this.#failed.add(blob.digest.key);
      throw error;
    }
  }

  async #join(blob: FarBlob, layout: ChunkLayout): Promise<void> {
    const near = this.#near;
    async function* joined(): AsyncGenerator<Uint8Array, void, undefined> {
      for (let i = 0; i < layout.count; i++) {
        const reader = await near.openRead(layout.digestOf(i));
        if (reader === undefined) {
          throw new CastoreError(
            "MISSING_REFERENCE",
            `Cannot store blob ${blob.digest}: its chunk ${layout.digestOf(i)} is not there any more`,
          );
        }
        yield* reader.stream();
      }
    }
    const stored = await near.put(joined());
    if (stored.equals(blob.digest)) return;
    throw new CastoreError(
      "INVALID_ARGUMENT",
      `Cannot store blob ${blob.digest}: its chunks make up ${stored}`,
    );
  }
}

async function* runsOf(
  digest: B3Digest,
  layout: ChunkLayout,
): AsyncGenerator<readonly BlobChunk[], B3Digest, undefined> {
  for (let start = 0; start < layout.count; start += CHUNKS_PER_RUN) {
    const length = Math.min(CHUNKS_PER_RUN, layout.count - start);
    yield Array.from({ length }, (_, k) => ({
      digest: layout.digestOf(start + k),
      size: layout.lengthOf(start + k),
    }));
  }
  return digest;
}

/** @throws {@link CastoreError} "CORRUPT" when the blob has another digest */
export function assertContent(digest: B3Digest, bytes: Uint8Array): void {
  assertDigest(digest, blake3(bytes));
}

function assertDigest(expected: B3Digest, actual: B3Digest): void {
  if (actual.equals(expected)) return;
  throw new CastoreError(
    "CORRUPT",
    `Cannot read blob ${expected}: the bytes that came are ${actual}`,
  );
}
