import fs from "node:fs";
import type { BlobService, CallOptions } from "../blobservice/blob-service.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { LocalBlobService } from "./blob-service.js";
import { type CheckFinding, type CheckOptions, checkStore } from "./check.js";
import { LocalDirectoryService } from "./directory-service.js";
import { IndexDerivedCache, KeyedRecords } from "./keyed-records.js";
import { isNodeError } from "./layout.js";
import { LocalNamedValues } from "./named-values.js";
import { RecordKind } from "./pack-format.js";
import type { DerivedCache, NamedValues, RecordStore } from "./record-store.js";
import { Stage } from "./stage.js";
import { StoreCore, type StoreCounters } from "./store-core.js";
import { StoreWrites } from "./store-writes.js";
import type { RecoveryReport } from "./write-session.js";
import type { LockHolder } from "./writer-lock.js";

/** Length in bytes of the key of a path info: the hash part of its store path. */
const OUTPUT_HASH_LENGTH = 20;

/** Less than this at once is not worth the way to a thread that encodes, and back. */
const MAX_STAGED_BYTES_HERE = 64 * 1024;

export interface LocalStoreOptions {
  /** Whether records are compressed where that pays; true by default. */
  readonly compression?: boolean;
  /** Never write: calls that would are refused; false by default. */
  readonly readOnly?: boolean;
  /**
   * Whether opening puts in order what a crash left behind, where it may and nobody else writes; by
   * default unless `readOnly`. Without, what was acknowledged right before a power loss may not be
   * seen until another process has done that.
   */
  readonly recover?: boolean;
  /**
   * Whether writes wait for another process that writes; true by default. Without, they are refused with
   * "UNAVAILABLE" as long as there is one, and derived values are forgotten.
   */
  readonly wait?: boolean;
  /** What this process does with the store, for the message that other writers show while they wait. */
  readonly purpose?: string;
  /** Called when the first write has to wait for another process, with what is known of it. */
  readonly onWait?: (holder: LockHolder | undefined) => void;
  /** Most threads that read, decompress and verify; by default up to 4, and one less than processors. */
  readonly decoderThreads?: number;
  /** Size in bytes at which a pack is sealed; 512 MiB by default. */
  readonly packLimit?: number;
}

/** Services of one {@link LocalStore.stage}. What is not durable yet may not be found by them. */
export interface StagedWrites {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
  /** @throws what failed first */
  durable(): Promise<void>;
}

/** How much a store holds. */
export interface LocalStoreStats {
  readonly pathInfos: number;
  readonly directories: number;
  /** Blobs of one record, chunks of larger blobs among them. */
  readonly chunks: number;
  /** Blobs that are kept as a list of chunks. */
  readonly chunkedBlobs: number;
  /** Bytes of all records before compression. */
  readonly rawBytes: number;
  /** Bytes of all records as they are stored. */
  readonly storedBytes: number;
  readonly packs: number;
  /** Bytes of all files of the store. */
  readonly diskBytes: number;
}

/**
 * The embedded store: one directory that holds blobs, Directories and path infos in packs, with an
 * index over them. Any number of processes may have it open; one of them writes at a time, and the
 * others wait for it when they want to write too. Reading never waits.
 *
 * Opening costs next to nothing: the directory is made, the lock taken and the threads started by the
 * first write.
 */
export class LocalStore implements AsyncDisposable {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
  /** Encoded path infos, by the 20-byte hash part of their store path. */
  readonly pathInfoRecords: RecordStore;
  readonly #core: StoreCore;

  private constructor(core: StoreCore) {
    this.#core = core;
    this.blobs = new LocalBlobService(core);
    this.directories = new LocalDirectoryService(core);
    this.pathInfoRecords = new KeyedRecords(core, RecordKind.PATH_INFO, OUTPUT_HASH_LENGTH);
  }

  /**
   * Opens the store in `directory`; one that does not exist is an empty store. A store that a crash
   * left behind is put in order first, see {@link recovery}.
   *
   * @throws {@link CastoreError} "UNSUPPORTED" for a newer format, "CORRUPT", "PERMISSION_DENIED"
   */
  static async open(directory: string, options: LocalStoreOptions = {}): Promise<LocalStore> {
    const core = await StoreCore.open(directory, {
      compression: options.compression ?? true,
      readOnly: options.readOnly ?? false,
      recover: options.recover ?? options.readOnly !== true,
      wait: options.wait ?? true,
      purpose: options.purpose ?? "a program that uses @tvix/castore",
      decoderThreads: options.decoderThreads,
      packLimit: options.packLimit,
      onWait: options.onWait ?? (() => {}),
    });
    return new LocalStore(core);
  }

  /**
   * Takes the right to write now, which otherwise the first write does, and keeps it until the store
   * is closed. Waits for another process that has it.
   *
   * @throws {@link CastoreError} when the store cannot be written
   */
  holdForWriting(options: CallOptions = {}): Promise<void> {
    return this.#core.ready(options.signal);
  }

  /**
   * The same services for writes that belong together: their promises fulfil when the store has what it was
   * given, and {@link StagedWrites.durable} when all of it, in the order it came, is on stable storage. What is
   * written after that, in any way, is durable no sooner. The promise of every write must be awaited before.
   */
  stage(): StagedWrites {
    const stage = new Stage(this.#core.staged);
    const writes = new StoreWrites(this.#core, {
      acknowledge: (written, bytes) => stage.acknowledge(written, bytes),
      bytesHere: MAX_STAGED_BYTES_HERE,
    });
    return {
      blobs: new LocalBlobService(this.#core, writes),
      directories: new LocalDirectoryService(this.#core, writes),
      durable: () => stage.durable(),
    };
  }

  /** What opening, or the first write, had to put in order; `undefined` when nobody looked yet. */
  get recovery(): RecoveryReport | undefined {
    return this.#core.recovery;
  }

  /** What was written through this object so far. */
  get counters(): StoreCounters {
    return this.#core.counters;
  }

  /** Values under names; each `space`, of at most 255 bytes, has its own. */
  named(space: string): NamedValues {
    return new LocalNamedValues(this.#core, space);
  }

  /** Values that can be computed again, by `space` and key. */
  derived(space: string): DerivedCache {
    return new IndexDerivedCache(this.#core, space);
  }

  async stats(): Promise<LocalStoreStats> {
    const index = this.#core.index();
    const totals = index?.totals() ?? [];
    const records = (kind: RecordKind) => totals.find((total) => total.kind === kind)?.records ?? 0;
    return {
      pathInfos: records(RecordKind.PATH_INFO),
      directories: records(RecordKind.DIRECTORY),
      chunks: records(RecordKind.CHUNK),
      chunkedBlobs: records(RecordKind.CHUNK_LIST),
      rawBytes: totals.reduce((sum, total) => sum + total.raw, 0),
      storedBytes: totals.reduce((sum, total) => sum + total.stored, 0),
      packs: index?.packs().length ?? 0,
      diskBytes: directoryBytes(this.#core.layout.directory),
    };
  }

  /** Reads and verifies the whole store; yields what is wrong. See {@link CheckFinding}. */
  check(options: CheckOptions = {}): AsyncGenerator<CheckFinding, void, undefined> {
    return checkStore(this.#core, options);
  }

  /** Ends the threads once all writes are done, and closes all files. */
  close(): Promise<void> {
    return this.#core.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function directoryBytes(directory: string): number {
  let names: string[];
  try {
    names = fs.readdirSync(directory, { recursive: true, encoding: "utf8" });
  } catch (error) {
    if (isNodeError(error, "ENOENT")) return 0;
    throw error;
  }
  return names.reduce((sum, name) => {
    const stat = fs.lstatSync(`${directory}/${name}`, { throwIfNoEntry: false });
    return sum + (stat?.isFile() === true ? stat.size : 0);
  }, 0);
}
