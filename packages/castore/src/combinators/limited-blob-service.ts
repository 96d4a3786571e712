import type {
  BlobReader,
  BlobService,
  ByteRange,
  CallOptions,
  ChunkMeta,
  ChunksOptions,
  OpenReadOptions,
  PutManyOptions,
} from "../blobservice/blob-service.js";
import { resolveRange } from "../blobservice/byte-range.js";
import { readSource } from "../blobservice/read-source.js";
import type { B3Digest } from "../digest.js";
import { Semaphore } from "../semaphore.js";
import { closeSource } from "./close-source.js";

export interface LimitOptions {
  /** Calls and streams that are open at a time; 64 by default. */
  readonly maxCalls?: number;
  /**
   * Bytes at a time that are on their way to or from the service: given to it and not used up, or asked of it and
   * not given out. 64 MiB by default.
   */
  readonly maxBytesInFlight?: number;
}

const MAX_CALLS = 64;
const MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024;

/** What a stream is taken to bring at a time until its first piece tells. */
const USUAL_PIECE_BYTES = 256 * 1024;

/**
 * Asks no more of a service at a time than it is told; whoever has to wait is served in the order of coming.
 *
 * A stream counts as a call from its first byte to its end, so who reads several at the same time, or reads one
 * while it waits for the next, needs as many places.
 */
export class LimitedBlobService implements BlobService {
  readonly #inner: BlobService;
  readonly #limits: Limits;
  readonly openMany?: NonNullable<BlobService["openMany"]>;
  readonly fillMany?: NonNullable<BlobService["fillMany"]>;
  readonly tree?: NonNullable<BlobService["tree"]>;

  /** Has ended before another call could begin. */
  readonly readNow?: NonNullable<BlobService["readNow"]>;

  constructor(inner: BlobService, options: LimitOptions = {}) {
    this.#inner = inner;
    const limits = {
      calls: new Semaphore(options.maxCalls ?? MAX_CALLS),
      bytes: new Semaphore(options.maxBytesInFlight ?? MAX_BYTES_IN_FLIGHT),
    };
    this.#limits = limits;
    const { openMany, fillMany, tree } = inner;
    if (inner.readNow !== undefined) this.readNow = inner.readNow.bind(inner);
    if (tree !== undefined) {
      this.tree = (digest, options) =>
        limits.calls.run(() => tree.call(inner, digest, options), options?.signal);
    }
    if (openMany !== undefined) {
      this.openMany = async (digests, options) => {
        const call = () => openMany.call(inner, digests, options);
        const opened = await limits.calls.run(call, options.signal);
        return opened.map((blob) =>
          blob === undefined || blob instanceof Uint8Array ? blob : new LimitedReader(blob, limits),
        );
      };
    }
    if (fillMany !== undefined) {
      this.fillMany = (places, memory, options) => {
        const bytes = places.reduce((sum, { length }) => sum + length, 0);
        const call = () => fillMany.call(inner, places, memory, options);
        return this.#withBytes(bytes, call, options);
      };
    }
  }

  has(digest: B3Digest, options?: CallOptions): Promise<boolean> {
    return this.#call(() => this.#inner.has(digest, options), options);
  }

  hasMany(digests: readonly B3Digest[], options?: CallOptions): Promise<boolean[]> {
    return this.#call(() => this.#inner.hasMany(digests, options), options);
  }

  async openRead(digest: B3Digest, options?: OpenReadOptions): Promise<BlobReader | undefined> {
    const reader = await this.#call(() => this.#inner.openRead(digest, options), options);
    return reader && new LimitedReader(reader, this.#limits);
  }

  chunks(digest: B3Digest, options?: ChunksOptions): Promise<readonly ChunkMeta[] | undefined> {
    return this.#call(() => this.#inner.chunks(digest, options), options);
  }

  async put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    let hasBegun = false;
    const begin = (): Promise<B3Digest> => {
      hasBegun = true;
      return this.#inner.put(this.#limited(source, options), options);
    };
    try {
      return await this.#call(begin, options);
    } finally {
      if (!hasBegun) await closeSource(source);
    }
  }

  putMany(blobs: readonly Uint8Array[], options?: PutManyOptions): Promise<B3Digest[]> {
    const bytes = blobs.reduce((sum, { byteLength }) => sum + byteLength, 0);
    return this.#withBytes(bytes, () => this.#inner.putMany(blobs, options), options);
  }

  /** Each piece counts until the service asks for the next. */
  async *#limited(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    { signal }: CallOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const bytes of readSource(source, signal)) {
      const release = await this.#limits.bytes.acquire(signal, bytes.byteLength);
      try {
        yield bytes;
      } finally {
        release();
      }
    }
  }

  async #call<T>(call: () => Promise<T>, options: CallOptions = {}): Promise<T> {
    return this.#limits.calls.run(call, options.signal);
  }

  #withBytes<T>(bytes: number, call: () => Promise<T>, options: CallOptions = {}): Promise<T> {
    return this.#call(async () => {
      const release = await this.#limits.bytes.acquire(options.signal, bytes);
      try {
        return await call();
      } finally {
        release();
      }
    }, options);
  }
}

interface Limits {
  readonly calls: Semaphore;
  readonly bytes: Semaphore;
}

class LimitedReader implements BlobReader {
  readonly size: number;
  readonly #reader: BlobReader;
  readonly #limits: Limits;

  constructor(reader: BlobReader, limits: Limits) {
    this.size = reader.size;
    this.#reader = reader;
    this.#limits = limits;
  }

  async *stream(
    range?: ByteRange,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { start, end } = resolveRange(this.size, range);
    const leave = await this.#limits.calls.acquire(options.signal);
    try {
      yield* this.#pieces({ offset: start, length: end - start }, options);
    } finally {
      leave();
    }
  }

  /**
   * Each piece counts from when it is asked for to when it comes, with the length of the one before: its own is
   * known too late. Whoever has been given a piece holds nothing that others wait for.
   */
  async *#pieces(
    range: { readonly offset: number; readonly length: number },
    options: CallOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const pieces = this.#reader.stream(range, options)[Symbol.asyncIterator]();
    let hasEnded = false;
    let expected = Math.min(USUAL_PIECE_BYTES, range.length);
    try {
      for (;;) {
        const release = await this.#limits.bytes.acquire(options.signal, expected);
        let piece: IteratorResult<Uint8Array>;
        try {
          piece = await pieces.next();
        } catch (error) {
          hasEnded = true;
          throw error;
        } finally {
          release();
        }
        if (piece.done === true) {
          hasEnded = true;
          return;
        }
        expected = piece.value.byteLength;
        yield piece.value;
      }
    } finally {
      if (!hasEnded) await pieces.return?.();
    }
  }
}
