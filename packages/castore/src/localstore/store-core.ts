import fs from "node:fs";
import { availableParallelism } from "node:os";
import type { PutManyOptions } from "../blobservice/blob-service.js";
import { plainBytes } from "../bytes.js";
import { CHUNK_BLOCK_BYTES } from "../chunking/chunker.js";
import { type B3Digest, DIGEST_LENGTH } from "../digest.js";
import { CastoreError } from "../errors.js";
import { orAbort } from "../or-abort.js";
import { BlockPool } from "./block-pool.js";
import { ChunkFiller, type WantedContent } from "./chunk-filler.js";
import { loadZstd, type ZstdCodec } from "./compression.js";
import { DecoderPool } from "./decoder-pool.js";
import { EncoderPool } from "./encoder-pool.js";
import { type AbsentKeys, IndexReader } from "./index-database.js";
import type { RecordLocation } from "./index-rows.js";
import { KeyQueue } from "./key-queue.js";
import { checkFormat, isNodeError, type StoreLayout, storeLayout } from "./layout.js";
import { FileSystemPackFiles, packFileName } from "./pack-files.js";
import type { RecordKind } from "./pack-format.js";
import type { DerivedEntry, RecordCount, WriteJob, WriteOutcome } from "./pack-writer.js";
import { paddedKey } from "./record.js";
import { RecordReader } from "./record-reader.js";
import type { StagedBytes } from "./stage.js";
import { StoreWrites } from "./store-writes.js";
import type { RecoveryReport } from "./write-session.js";
import { Writer } from "./writer.js";
import type { LockHolder } from "./writer-lock.js";

/** Most threads that hash and compress: with more, reading and the SHA-256 of the NAR set the pace. */
const MAX_ENCODER_THREADS = 4;

/** Most threads that read: with more, whoever asks sets the pace. */
const MAX_DECODER_THREADS = 4;

/** Less than this at once is not worth the way to a thread and back. */
const MIN_THREADED_BYTES = 64 * 1024;

/** So much is read before threads are started, which takes as long as reading a few MiB. */
const UNTHREADED_BYTES = 4 * 1024 * 1024;

/** Longest record as it is stored that is read with a blocking call. */
const MAX_UNTHREADED_RECORD = 32 * 1024;

/** Longest blob that is read at once, which keeps everybody waiting: as long as a chunk may be. */
const MAX_NOW_BYTES = 1024 * 1024;

/** A read that took so many milliseconds had to wait for a disk; the next ones are left to threads. */
const SLOW_READ_MS = 4;
const READS_AFTER_SLOW = 64;

/** How long writes are refused without a look, once another process was found to write, in milliseconds. */
const BUSY_MS = 1000;

/** See `LocalStoreOptions`. */
export interface CoreOptions {
  readonly compression: boolean;
  readonly readOnly: boolean;
  readonly recover: boolean;
  readonly wait: boolean;
  readonly purpose: string;
  readonly decoderThreads: number | undefined;
  readonly packLimit: number | undefined;
  readonly onWait: (holder: LockHolder | undefined) => void;
}

/** What was stored under its digest (blobs, chunks, Directories) through one open store. */
export interface StoreCounters {
  /** What was new. */
  readonly added: RecordCount;
  /** What was there already. */
  readonly known: RecordCount;
}

/** What it takes to write. */
interface Writing {
  readonly writer: Writer;
  readonly encoders: EncoderPool;
}

/**
 * One open store: the index and the packs for reading, and, from the first write on, the threads that
 * encode and write. The services are views of it.
 */
export class StoreCore {
  readonly layout: StoreLayout;
  readonly zstd: ZstdCodec;
  readonly records: RecordReader;
  readonly counters: StoreCounters = {
    added: { records: 0, rawBytes: 0, storedBytes: 0 },
    known: { records: 0, rawBytes: 0, storedBytes: 0 },
  };
  /** Memory for chunks on their way to the encoders, used again and again. */
  readonly blocks: BlockPool = new BlockPool(CHUNK_BLOCK_BYTES);
  /** Each is durable when its promise fulfils. */
  readonly writes: StoreWrites = new StoreWrites(this);
  readonly staged: StagedBytes = { bytes: 0 };
  recovery: RecoveryReport | undefined;
  /** For records that are read, changed and written again. */
  readonly updates: KeyQueue = new KeyQueue();
  /** Blobs that are being cut into chunks: they share the memory for that. */
  uploadsInChunks = 0;
  #decoders: DecoderPool | undefined;
  #filler: ChunkFiller | undefined;
  /** Bytes that were asked for in many chunks at a time, about. */
  #bytesRead = 0;
  /** How many of the next reads are not done at once. */
  #slowReads = 0;
  readonly #options: CoreOptions;
  readonly #closing = new AbortController();
  #index: IndexReader | undefined;
  /** Holds the lock: nobody else writes. */
  #writer: Writer | undefined;
  /** Writes that were acknowledged. */
  #acknowledged = 0;
  #writing: Promise<Writing> | undefined;
  /** When it may be tried again to write, after another process was found to do so. */
  #tryAgainAt = Number.POSITIVE_INFINITY;
  /** Writes that have begun. */
  readonly #writes = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  private constructor(layout: StoreLayout, zstd: ZstdCodec, options: CoreOptions) {
    this.layout = layout;
    this.zstd = zstd;
    this.records = new RecordReader(layout.packs, zstd, (pack) => this.index()?.identityOf(pack));
    this.#options = options;
  }

  static async open(directory: string, options: CoreOptions): Promise<StoreCore> {
    const layout = storeLayout(directory);
    const exists = checkFormat(layout);
    const core = new StoreCore(layout, await loadZstd(), options);
    if (exists && options.recover && core.#needsRecovery()) await core.#recover();
    return core;
  }

  /** The index; `undefined` while there is no store yet. */
  index(): IndexReader | undefined {
    if (this.#closing.signal.aborted)
      throw new CastoreError("STORAGE", "Cannot read: the store is closed");
    this.#index ??= IndexReader.openIfMade(this.layout.index);
    return this.#index;
  }

  /**
   * The raw payload of a record, verified; `undefined` when there is none. Without a promise where
   * it can be had at once, see {@link RecordReader.read}.
   */
  read(
    kind: RecordKind,
    key: Uint8Array,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const padded = paddedKey(key);
    const location = this.index()?.find(kind, padded);
    return location && this.readAt(kind, padded, location);
  }

  /** {@link read} for a record whose place is known. */
  readAt(
    kind: RecordKind,
    key: Uint8Array,
    location: RecordLocation,
  ): Uint8Array | Promise<Uint8Array> {
    this.#closing.signal.throwIfAborted();
    return this.records.read(kind, key, location);
  }

  /**
   * Reads many blobs to where they are wanted, see {@link ChunkFiller.fill}. Once many bytes have been
   * asked for in this way, or are known to be wanted, threads do it; until then blobs that take long to
   * read are left out, too.
   *
   * @param expectedBytes - what will be asked for in all, as far as that is known
   */
  fill(
    wanted: Omit<WantedContent, "maxStored">,
    expectedBytes: number,
  ): readonly number[] | Promise<readonly number[]> {
    this.#closing.signal.throwIfAborted();
    const { places } = wanted;
    if (this.index() === undefined) return Array.from({ length: places.length / 2 }, (_, i) => i);
    let bytes = 0;
    for (let i = 1; i < places.length; i += 2) bytes += places[i] as number;
    this.#bytesRead += bytes;
    const isMuch = Math.max(this.#bytesRead, expectedBytes) >= UNTHREADED_BYTES;
    if (isMuch && bytes >= MIN_THREADED_BYTES) {
      this.#decoders ??= this.#startDecoders();
      return this.#decoders.fill({ ...wanted, maxStored: Number.POSITIVE_INFINITY });
    }
    return this.#fillHere({ ...wanted, maxStored: MAX_UNTHREADED_RECORD });
  }

  /**
   * The content of a blob, verified; `undefined` where it is not to be had at once, see {@link ChunkFiller.fill}, or
   * reading has just turned out to take long.
   */
  readNow(key: Uint8Array, length: number): Uint8Array | undefined {
    if (length > MAX_NOW_BYTES || this.index() === undefined) return undefined;
    if (this.#slowReads > 0) {
      this.#slowReads--;
      return undefined;
    }
    const content = plainBytes(Buffer.allocUnsafeSlow(length));
    const started = performance.now();
    const isThere = this.#fillerHere().fillOne(key, content, MAX_NOW_BYTES);
    if (performance.now() - started > SLOW_READ_MS) this.#slowReads = READS_AFTER_SLOW;
    return isThere ? content : undefined;
  }

  #fillHere(wanted: WantedContent): readonly number[] {
    return this.#fillerHere().fill(wanted);
  }

  #fillerHere(): ChunkFiller {
    this.#closing.signal.throwIfAborted();
    const index = this.index();
    if (index === undefined) throw new CastoreError("STORAGE", "Cannot read: the index is gone");
    const { records, zstd } = this;
    this.#filler ??= new ChunkFiller({ index, records, zstd });
    return this.#filler;
  }

  #startDecoders(): DecoderPool {
    // Whoever takes the bytes, and the thread that hands them out, need a processor, too.
    const spare = Math.max(1, Math.min(availableParallelism() - 1, MAX_DECODER_THREADS));
    return new DecoderPool(
      { indexFile: this.layout.index, packs: this.layout.packs },
      {
        maxThreads: this.#options.decoderThreads ?? spare,
        fillHere: (wanted) => this.#fillHere(wanted),
      },
    );
  }

  has(kind: RecordKind, key: Uint8Array): boolean {
    return this.index()?.has(kind, key) ?? false;
  }

  /** See {@link IndexReader.absent}. */
  absent(kinds: readonly [RecordKind, RecordKind], keys: Uint8Array): AbsentKeys {
    const index = this.index();
    if (index !== undefined) return index.absent(kinds, keys);
    const count = keys.byteLength / DIGEST_LENGTH;
    return { neither: Array.from({ length: count }, (_, i) => i), other: [] };
  }

  /** {@link StoreWrites.store}, durable when it fulfils. */
  store(
    kind: RecordKind,
    payloads: readonly Uint8Array[],
    options: PutManyOptions = {},
  ): Promise<B3Digest[]> {
    return this.writes.store(kind, payloads, options);
  }

  /** {@link StoreWrites.storeKeyed}, durable when it fulfils. */
  storeKeyed(
    kind: RecordKind,
    key: Uint8Array,
    raw: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    return this.writes.storeKeyed(kind, key, raw, signal);
  }

  storeDerived(entries: readonly DerivedEntry[]): Promise<void> {
    const job = { records: new Uint8Array(0), derived: entries };
    return this.untilDone(
      this.forWriting().then(
        async ({ writer }) => {
          await this.write(writer, job);
        },
        (error: unknown) => {
          if (this.#options.wait || !CastoreError.is(error, "UNAVAILABLE")) throw error;
        },
      ),
    );
  }

  /** Waits until this process may write, and begins what that takes. */
  async ready(signal?: AbortSignal): Promise<void> {
    await this.forWriting(signal);
  }

  /** Hands a job to the writer, at once. Durable, and visible here, when the promise fulfils. */
  async write(writer: Writer, job: WriteJob): Promise<WriteOutcome> {
    const outcome = await writer.write(job);
    this.seeWrites();
    return outcome;
  }

  /** Compresses records; `undefined` where they stay raw. */
  get compressor(): ZstdCodec | undefined {
    return this.#options.compression ? this.zstd : undefined;
  }

  /** What was written is visible from now on. */
  seeWrites(): void {
    this.#acknowledged++;
    this.#index?.refresh();
  }

  /**
   * How many writes have been acknowledged; `undefined` while another process may write. What was found in the
   * index is there as long as this is the same.
   */
  get generation(): number | undefined {
    return this.#writer?.isAlive === true ? this.#acknowledged : undefined;
  }

  /** Lets {@link close} wait for a write. */
  untilDone<T>(write: Promise<T>): Promise<T> {
    const done = () => this.#writes.delete(write);
    this.#writes.add(write);
    write.then(done, done);
    return write;
  }

  /** Refuses new writes, waits for those that have begun, and closes everything. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort(new CastoreError("STORAGE", "Cannot read or write: the store is closed"));
    await Promise.allSettled(this.#writes);
    const writing = await this.#writing?.catch(() => undefined);
    this.#writer = undefined;
    await writing?.encoders.close();
    await writing?.writer.close();
    await this.#decoders?.close();
    this.records.close();
    this.#index?.close();
    this.#index = undefined;
  }

  /** The threads that encode and write, once this process may write. */
  forWriting(signal?: AbortSignal): Promise<Writing> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason);
    if (this.#options.readOnly) {
      return Promise.reject(
        new CastoreError("UNSUPPORTED", "Cannot write: the store is opened read-only"),
      );
    }
    if (this.#writing === undefined || performance.now() > this.#tryAgainAt) {
      this.#tryAgainAt = Number.POSITIVE_INFINITY;
      this.#writing = this.#startWriting();
      // Whoever waited for it may have been told to stop.
      this.#writing.catch(() => {});
    }
    return orAbort(this.#writing, signal);
  }

  async #startWriting(): Promise<Writing> {
    const writer = await this.#startWriter(this.#options.wait);
    if (writer === undefined) {
      this.#tryAgainAt = performance.now() + BUSY_MS;
      throw new CastoreError("UNAVAILABLE", "Cannot write: another process writes to the store");
    }
    this.recovery ??= writer.recovery;
    this.#writer = writer;
    const encoders = new EncoderPool(
      { indexFile: this.layout.index, compression: this.#options.compression },
      Math.max(1, Math.min(availableParallelism() - 1, MAX_ENCODER_THREADS)),
    );
    return { writer, encoders };
  }

  #startWriter(wait: boolean): Promise<Writer | undefined> {
    const { purpose, packLimit, onWait } = this.#options;
    return Writer.start(
      { directory: this.layout.directory, purpose, packLimit, wait, onWait },
      this.#closing.signal,
    );
  }

  /** Whether the packs hold something that the index does not know, or the index cannot be used. */
  #needsRecovery(): boolean {
    try {
      const indexed = new Map(
        this.index()
          ?.packs()
          .map((pack) => [pack.id, pack.length]),
      );
      return packSizes(this.layout).some(([id, size]) => size > (indexed.get(id) ?? -1));
    } catch (error) {
      if (CastoreError.is(error, "CORRUPT")) return true;
      throw error;
    }
  }

  /**
   * Puts the store in order, unless another process is writing: then what is new is its work. Who may
   * not write there sees the store as it is.
   */
  async #recover(): Promise<void> {
    const writer = await this.#startWriter(false).catch((error: unknown) => {
      if (CastoreError.is(error, "PERMISSION_DENIED")) return undefined;
      throw error;
    });
    if (writer === undefined) return;
    this.recovery = writer.recovery;
    await writer.close();
    this.#index?.close();
    this.#index = undefined;
  }

  /** Adds what became of records that are stored under their digest to {@link counters}. */
  count(outcome: WriteOutcome): void {
    for (const which of ["added", "known"] as const) {
      this.counters[which].records += outcome[which].records;
      this.counters[which].rawBytes += outcome[which].rawBytes;
      this.counters[which].storedBytes += outcome[which].storedBytes;
    }
  }
}

function packSizes({ packs }: StoreLayout): [number, number][] {
  let ids: number[];
  try {
    ids = new FileSystemPackFiles(packs).list();
  } catch (error) {
    if (isNodeError(error, "ENOENT")) return [];
    throw error;
  }
  return ids.map((id) => [id, fs.statSync(`${packs}/${packFileName(id)}`).size]);
}
