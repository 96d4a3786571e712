import { CastoreError } from "../errors.js";
import type { ZstdCodec } from "./compression.js";
import { IndexWriter } from "./index-database.js";
import { databaseError } from "./index-schema.js";
import { quarantineIndex, type StoreLayout } from "./layout.js";
import type { PackFiles } from "./pack-files.js";
import { PackWriter, type WriteJob, type WriteOutcome } from "./pack-writer.js";
import { type RecoveryEvent, reconcile } from "./reconcile.js";

/** What opening a store for writing had to put in order. */
export interface RecoveryReport {
  /** The index was unusable and has been rebuilt from the packs; the old one is in `quarantine/`. */
  readonly indexRebuilt: boolean;
  readonly events: readonly RecoveryEvent[];
}

export interface WriteSessionOptions {
  readonly layout: StoreLayout;
  readonly files: PackFiles;
  readonly zstd: ZstdCodec;
  readonly packLimit?: number;
}

/**
 * Everything that writing takes, in one thread, without the lock, which the caller must hold:
 * recovery at the start, then groups of jobs.
 */
export class WriteSession {
  readonly recovery: RecoveryReport;
  readonly #index: IndexWriter;
  readonly #layout: StoreLayout;
  #indexIsDamaged = false;
  readonly #writer: PackWriter;

  /**
   * Opens the index and brings it in line with the packs.
   *
   * @throws {@link CastoreError} "STORAGE", "UNSUPPORTED"
   */
  constructor(options: WriteSessionOptions) {
    const { index, recovery } = openIndex(options);
    this.recovery = recovery;
    this.#index = index;
    this.#layout = options.layout;
    this.#writer = new PackWriter(index, options.files, options.packLimit);
  }

  /** See {@link PackWriter.write}. */
  write(jobs: readonly WriteJob[]): WriteOutcome[] {
    try {
      return this.#writer.write(jobs);
    } catch (error) {
      this.#indexIsDamaged ||= CastoreError.is(error, "CORRUPT");
      throw error;
    }
  }

  close(): void {
    this.#writer.close();
    this.#index.close();
    // The next start makes a new one from the packs.
    if (this.#indexIsDamaged) quarantineIndex(this.#layout);
  }
}

function openIndex(options: WriteSessionOptions): { index: IndexWriter; recovery: RecoveryReport } {
  try {
    return tryIndex(options, false);
  } catch (error) {
    const failure = openError(error);
    if (failure.code !== "CORRUPT") throw failure;
  }
  quarantineIndex(options.layout);
  try {
    return tryIndex(options, true);
  } catch (error) {
    throw openError(error);
  }
}

function tryIndex(
  { layout, files, zstd }: WriteSessionOptions,
  indexRebuilt: boolean,
): { index: IndexWriter; recovery: RecoveryReport } {
  const index = new IndexWriter(layout.index);
  try {
    return { index, recovery: { indexRebuilt, events: reconcile(index, files, zstd) } };
  } catch (error) {
    index.close();
    throw error;
  }
}

/** "CORRUPT" is said of the index only: damage in packs is an event of the recovery. */
function openError(error: unknown): CastoreError {
  return CastoreError.is(error) ? error : databaseError(error, "Cannot open the store");
}
