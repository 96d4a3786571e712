import type {
  BlobReader,
  BlobService,
  CallOptions,
  OpenBlob,
  OpenManyOptions,
  OpenReadOptions,
} from "../blobservice/blob-service.js";
import type { Clock } from "../clock.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { LastUsed } from "../last-used.js";
import { SingleFlight } from "../single-flight.js";
import { type CacheNotes, NoteQueue } from "./cache-notes.js";
import { ChunkLayout } from "./chunk-layout.js";
import type { GuardedStore } from "./guarded-store.js";
import { NegativeAnswers } from "./negative-answers.js";

/** What is known of blobs of far in memory, in bytes. */
const MAX_KNOWN_BYTES = 64 * 1024 * 1024;

/** What knowing a blob takes besides its layout, in bytes, about. */
const KNOWN_BLOB_BYTES = 500;

/** A blob that far has, and how it is cut, where that is known. */
export interface FarBlob {
  readonly digest: B3Digest;
  readonly size: number;
  readonly layout: ChunkLayout | undefined;
  /** Far's, while it is of use. */
  reader: BlobReader | undefined;
}

export interface FarBlobsOptions {
  readonly notes: CacheNotes | undefined;
  readonly missesForMs: number;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

/** The store behind a cache: what it has, how that is cut, and what of it is proved. */
export class FarBlobs {
  readonly store: GuardedStore<BlobService>;
  readonly absent: NegativeAnswers;
  readonly #notes: NoteQueue | undefined;
  readonly #onError: (error: unknown) => void;
  readonly #known = new LastUsed<string, FarBlob>(
    MAX_KNOWN_BYTES,
    ({ layout }) => KNOWN_BLOB_BYTES + (layout?.weight ?? 0),
  );
  readonly #lookups = new SingleFlight<FarBlob | undefined>();

  constructor(store: GuardedStore<BlobService>, options: FarBlobsOptions) {
    this.store = store;
    this.absent = new NegativeAnswers(options.missesForMs, options.clock);
    this.#onError = options.onError;
    this.#notes = options.notes && new NoteQueue(options.notes, options.onError);
  }

  /** What is known of a blob; far is asked when nothing is. `undefined` when it does not have it. */
  async find(digest: B3Digest, options: OpenReadOptions): Promise<FarBlob | undefined> {
    const { expectedSize, signal } = options;
    const known = this.#known.get(digest.key) ?? (await this.#noted(digest));
    // Without a layout, the length may be what another caller has expected.
    const isOther = known?.layout === undefined && expectedSize !== undefined;
    if (known !== undefined && !(isOther && known.size !== expectedSize)) return known;
    if (this.absent.has(digest.key)) return undefined;
    const size = expectedSize === undefined ? {} : { expectedSize };
    const open = (linked: AbortSignal) => this.#open(digest, { signal: linked, ...size });
    return this.#lookups.run(`${digest.key}:${expectedSize}`, open, signal);
  }

  /**
   * What far gives of many blobs in one call; `undefined` when it has no such call.
   *
   * Each must be held against its digest.
   */
  async openMany(
    digests: readonly B3Digest[],
    options: OpenManyOptions,
  ): Promise<readonly (OpenBlob | undefined)[] | undefined> {
    const opened = await this.store.run(
      async (service, call) => service.openMany?.(digests, { ...options, ...call }),
      options,
    );
    if (opened !== undefined && opened.length !== digests.length) {
      throw new CastoreError(
        "CORRUPT",
        `Cannot read blobs: ${this.store.name} gives ${opened.length} instead of ${digests.length}`,
      );
    }
    return opened;
  }

  /**
   * Bytes of a blob, from far; as many as are asked for, or an error.
   *
   * @param length - what is left of the blob, at most
   */
  async *read(
    blob: FarBlob,
    offset: number,
    length: number,
    options: CallOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = blob.reader ?? (await this.#reopen(blob, options));
    let given = 0;
    try {
      const open = (_: BlobService, call: CallOptions) => reader.stream({ offset, length }, call);
      const bytesOf = (bytes: Uint8Array): number => bytes.byteLength;
      for await (const bytes of this.store.stream(open, { ...options, bytesOf })) {
        given += bytes.byteLength;
        if (given > length) break;
        if (bytes.byteLength > 0) yield bytes;
      }
    } catch (error) {
      // Far may have been replaced meanwhile: it is asked anew next time.
      blob.reader = undefined;
      throw error;
    }
    if (given === length) return;
    this.forget(blob);
    const state = given > length ? "more bytes" : `${given} bytes`;
    throw corrupt(blob.digest, `${this.store.name} gives ${state} instead of ${length}`);
  }

  /** Marks a chunk, which is near, as being in its place. */
  mark({ digest, layout }: FarBlob, i: number): void {
    if (layout === undefined || layout.isMarked(i)) return;
    layout.mark(i);
    this.#notes?.put(marksKey(digest), layout.marks);
  }

  /** Forgets a blob: near has it, or what was known is wrong. */
  forget({ digest, layout }: FarBlob): void {
    if (this.#known.get(digest.key)?.layout === layout) this.#known.delete(digest.key);
    if (layout === undefined) return;
    this.#notes?.put(digest.toBytes(), NOTHING);
    this.#notes?.put(marksKey(digest), NOTHING);
  }

  /** Fulfils when all notes are written. */
  async flush(): Promise<void> {
    await this.#notes?.flush();
  }

  async #noted(digest: B3Digest): Promise<FarBlob | undefined> {
    if (this.#notes === undefined) return undefined;
    try {
      const list = await this.#notes.get(digest.toBytes());
      if (list === undefined || list.byteLength === 0) return undefined;
      const marks = await this.#notes.get(marksKey(digest));
      // Another caller may have been faster; both must have the same.
      const known = this.#known.get(digest.key);
      const layout = known === undefined ? ChunkLayout.decode(list, marks) : undefined;
      if (layout === undefined) return known;
      return this.#add({ digest, size: layout.size, layout, reader: undefined });
    } catch (error) {
      this.#onError(error);
      return undefined;
    }
  }

  async #open(digest: B3Digest, options: OpenReadOptions): Promise<FarBlob | undefined> {
    const opened = await this.store.run(async (service, call) => {
      const [reader, chunks] = await Promise.all([
        service.openRead(digest, { ...options, ...call }),
        service.chunks(digest, call),
      ]);
      return reader && { reader, chunks: chunks ?? [] };
    }, options);
    if (opened === undefined) {
      this.absent.add(digest.key);
      return undefined;
    }
    const { reader, chunks } = opened;
    const { size } = reader;
    if (!Number.isSafeInteger(size) || size < 0)
      throw corrupt(digest, `it is to have ${size} bytes`);
    const layout = ChunkLayout.fromChunks(digest, size, chunks);
    if (layout !== undefined) this.#notes?.put(digest.toBytes(), layout.encodeList());
    return this.#add({ digest, size, layout, reader });
  }

  #add(blob: FarBlob): FarBlob {
    this.#known.add(blob.digest.key, blob);
    return blob;
  }

  async #reopen(blob: FarBlob, options: CallOptions): Promise<BlobReader> {
    const reader = await this.store.run(
      (service, call) => service.openRead(blob.digest, { ...call, expectedSize: blob.size }),
      options,
    );
    if (reader === undefined) {
      this.forget(blob);
      throw new CastoreError(
        "MISSING_REFERENCE",
        `Cannot read blob ${blob.digest}: ${this.store.name} does not have it any more`,
      );
    }
    if (reader.size !== blob.size) {
      this.forget(blob);
      throw corrupt(blob.digest, `it has ${reader.size} bytes now instead of ${blob.size}`);
    }
    blob.reader = reader;
    return reader;
  }
}

const NOTHING = new Uint8Array(0);

/** Where the marks of a blob are noted; the list is under its digest alone. */
function marksKey(digest: B3Digest): Uint8Array {
  const bytes = digest.toBytes();
  const key = new Uint8Array(bytes.byteLength + 1);
  key.set(bytes);
  return key;
}

function corrupt(digest: B3Digest, state: string): CastoreError {
  return new CastoreError("CORRUPT", `Cannot read blob ${digest}: ${state}`);
}
