import { CastoreError } from "../errors.js";
import type { ZstdCodec } from "./compression.js";
import { databaseError, IndexWriter } from "./index-database.js";
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
  readonly #writer: PackWriter;

  /** Opens the index and brings it in line with the packs. */
  constructor(options: WriteSessionOptions) {
    const { index, rebuilt } = openIndex(options.layout);
    try {
      const events = reconcile(index, options.files, options.zstd);
      this.recovery = { indexRebuilt: rebuilt, events };
      this.#index = index;
      this.#writer = new PackWriter(index, options.files, options.packLimit);
    } catch (error) {
      index.close();
      throw error;
    }
  }

  /** See {@link PackWriter.write}. */
  write(jobs: readonly WriteJob[]): WriteOutcome[] {
    return this.#writer.write(jobs);
  }

  close(): void {
    this.#writer.close();
    this.#index.close();
  }
}

function openIndex(layout: StoreLayout): { index: IndexWriter; rebuilt: boolean } {
  try {
    return { index: new IndexWriter(layout.index), rebuilt: false };
  } catch (error) {
    const failure = CastoreError.is(error) ? error : databaseError(error, "Cannot open the index");
    if (failure.code !== "CORRUPT") throw failure;
  }
  quarantineIndex(layout);
  return { index: new IndexWriter(layout.index), rebuilt: true };
}
