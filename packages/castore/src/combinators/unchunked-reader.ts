import type {
  BlobReader,
  BlobService,
  ByteRange,
  CallOptions,
} from "../blobservice/blob-service.js";
import { resolveRange } from "../blobservice/byte-range.js";
import { copyBytes } from "../bytes.js";
import { CastoreError } from "../errors.js";
import type { SingleFlight } from "../single-flight.js";
import type { FarBlob } from "./far-blobs.js";
import type { NearBlobs } from "./near-blobs.js";
import { Tee } from "./tee.js";

/** Blobs up to this size are fetched whole, and verified before anything is given out. */
export const MAX_SHORT_BYTES: number = 4 * 1024 * 1024;

/** A short blob of which far knows no chunks. */
export class ShortCachedReader implements BlobReader {
  readonly size: number;
  readonly #blob: FarBlob;
  readonly #near: NearBlobs;

  constructor(blob: FarBlob, near: NearBlobs) {
    this.size = blob.size;
    this.#blob = blob;
    this.#near = near;
  }

  async *stream(
    range?: ByteRange,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { start, end } = resolveRange(this.size, range);
    options.signal?.throwIfAborted();
    if (start === end && this.size > 0) return;
    const bytes = await this.#near.short(this.#blob, options);
    if (start < end) yield bytes.subarray(start, end);
    options.signal?.throwIfAborted();
  }
}

/** What long blobs have in common. */
export interface LongBlobs {
  readonly near: BlobService;
  readonly filling: NearBlobs;
  /** Long blobs on their way to near. */
  readonly flights: SingleFlight<void>;
}

/** Why near is given no more of a blob. Shared: to make an error takes time. */
const LEFT = new DOMException("The reader has left", "AbortError");

/**
 * A long blob of which far knows no chunks. Read as a whole it is stored while it is given out. A part of it takes
 * all of it too: far may have to send all for each part, and nothing else proves that the part is right.
 */
export class LongCachedReader implements BlobReader {
  readonly size: number;
  readonly #blob: FarBlob;
  readonly #blobs: LongBlobs;

  constructor(blob: FarBlob, blobs: LongBlobs) {
    this.size = blob.size;
    this.#blob = blob;
    this.#blobs = blobs;
  }

  async *stream(
    range?: ByteRange,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { start, end } = resolveRange(this.size, range);
    options.signal?.throwIfAborted();
    if (start === end) return;
    const stored = await this.#blobs.near.openRead(this.#blob.digest, options);
    if (stored !== undefined) yield* stored.stream(range, options);
    else if (end - start === this.size) yield* this.#whole(options);
    else yield* this.#part({ offset: start, length: end - start }, options);
  }

  async *#whole(options: CallOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const { near, filling } = this.#blobs;
    const source = filling.long(this.#blob, options);
    const tee = new Tee(source);
    const [own, stored] = [tee.branch(), tee.branch()];
    filling.inBackground(store(near, stored));
    const pieces = own[Symbol.asyncIterator]();
    let hasEnded = false;
    try {
      for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
        // Near may still use what has come.
        yield copyBytes(next.value);
      }
      hasEnded = true;
    } finally {
      if (!hasEnded) stored.leave(LEFT);
      own.leave();
      await source.return();
    }
  }

  async *#part(
    range: { readonly offset: number; readonly length: number },
    options: CallOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { near, flights } = this.#blobs;
    const { digest } = this.#blob;
    await flights.run(digest.key, (signal) => this.#fill(signal), options.signal);
    const reader = await near.openRead(digest, options);
    if (reader === undefined) {
      throw new CastoreError("STORAGE", `Cannot read blob ${digest}: it was not kept`);
    }
    yield* reader.stream(range, options);
  }

  async #fill(signal: AbortSignal): Promise<void> {
    const { near, filling } = this.#blobs;
    await near.put(filling.long(this.#blob, { signal }), { signal });
  }
}

async function store(
  near: BlobService,
  branch: AsyncIterable<Uint8Array> & { leave(): void },
): Promise<void> {
  try {
    await near.put(branch);
  } catch (error) {
    if (error !== LEFT) throw error;
  } finally {
    branch.leave();
  }
}
