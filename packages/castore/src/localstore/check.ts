import type { CallOptions } from "../blobservice/blob-service.js";
import { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { type Blake3Hash, createBlake3 } from "../hasher/blake3.js";
import { Directory } from "../nodes/directory.js";
import { decodeDirectory } from "../wire/directory-codec.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { checkPack } from "./check-pack.js";
import { decodeChunkList } from "./chunk-list.js";
import { IndexReader } from "./index-database.js";
import type { IndexedRecord } from "./index-rows.js";
import { decodeNamedValue } from "./named-values.js";
import { packFileName } from "./pack-files.js";
import { RecordKind } from "./pack-format.js";
import { describeRecord } from "./record.js";
import type { StoreCore } from "./store-core.js";

/** Something that is wrong in a store. */
export interface CheckFinding {
  /**
   * - `index`: the index is damaged; it can be made again from the packs.
   * - `pack`: a pack is missing, short, or holds bytes that no record accounts for.
   * - `record`: a record cannot be read or is not what its key says.
   * - `reference`: something refers to content that is not stored.
   */
  readonly type: "index" | "pack" | "record" | "reference";
  /** Name of the pack, where one is concerned. */
  readonly pack?: string;
  /** Digest or key of what is concerned. */
  readonly subject?: string;
  readonly message: string;
}

/** How far a check has come. */
export interface CheckProgress {
  readonly records: number;
  readonly totalRecords: number;
  /** Bytes read from packs. */
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface CheckOptions extends CallOptions {
  /** Called now and then. */
  readonly onProgress?: (progress: CheckProgress) => void;
}

/** Records between two calls of `onProgress` and two looks at the signal. */
const PROGRESS_RECORDS = 256;

const EMPTY_DIGEST = directoryDigest(Directory.EMPTY);

const ALL_KINDS: readonly RecordKind[] = Object.values(RecordKind);

/**
 * Reads every record of the store and verifies it: bytes against digests, structure against rules,
 * references against what is there. Blobs of several chunks are put together and held against the
 * digest of the whole. A writer may be at work: what it adds meanwhile is not looked at.
 */
export async function* checkStore(
  core: StoreCore,
  options: CheckOptions = {},
): AsyncGenerator<CheckFinding, void, undefined> {
  const index = core.index();
  if (index === undefined) return;
  // A connection of its own, which stays in one state while the records of a kind go by.
  const list = new IndexReader(core.layout.index);
  try {
    yield* checkAll(core, index, list, options);
  } catch (error) {
    // Damage in packs is found record by record: what ends the check is an index that cannot be read.
    if (!CastoreError.is(error, "CORRUPT")) throw error;
    yield indexFinding(error.message);
  } finally {
    list.close();
  }
}

async function* checkAll(
  core: StoreCore,
  index: IndexReader,
  list: IndexReader,
  options: CheckOptions,
): AsyncGenerator<CheckFinding, void, undefined> {
  const damage = list.damage();
  if (damage !== undefined) yield indexFinding(`The index is damaged: ${damage}`);
  for (const pack of list.packs()) {
    options.signal?.throwIfAborted();
    yield* checkPack(core, index, list, pack);
  }
  const check = new StoreCheck(core, index, options);
  for (const kind of ALL_KINDS) {
    for (const record of list.recordsInPackOrder(kind)) {
      const finding = await check.record(record);
      if (finding !== undefined) yield finding;
    }
  }
}

function indexFinding(message: string): CheckFinding {
  return {
    type: "index",
    message: `${message}; without the file meta.sqlite, the next writer makes a new one from the packs`,
  };
}

class StoreCheck {
  readonly #core: StoreCore;
  readonly #index: IndexReader;
  readonly #options: CheckOptions;
  readonly #total: { records: number; bytes: number };
  #records = 0;
  #bytes = 0;

  constructor(core: StoreCore, index: IndexReader, options: CheckOptions) {
    this.#core = core;
    this.#index = index;
    this.#options = options;
    const totals = index.totals();
    this.#total = {
      records: totals.reduce((sum, total) => sum + total.records, 0),
      bytes: totals.reduce((sum, total) => sum + total.stored, 0),
    };
  }

  async record(record: IndexedRecord): Promise<CheckFinding | undefined> {
    this.#step(record);
    try {
      const raw = await this.#core.records.read(record.kind, record.key, record);
      return await this.#checkContent(record, raw);
    } catch (error) {
      if (!CastoreError.is(error)) throw error;
      return this.#finding("record", record, error.message);
    }
  }

  async #checkContent(record: IndexedRecord, raw: Uint8Array): Promise<CheckFinding | undefined> {
    switch (record.kind) {
      case RecordKind.DIRECTORY:
        return this.#checkDirectory(record, raw);
      case RecordKind.CHUNK_LIST:
        return this.#checkChunkList(record, raw);
      case RecordKind.NAMED:
        decodeNamedValue(raw, record.key);
        return undefined;
      case RecordKind.CHUNK:
      case RecordKind.PATH_INFO:
        return undefined;
    }
  }

  #checkDirectory(record: IndexedRecord, raw: Uint8Array): CheckFinding | undefined {
    for (const { name, node } of decodeDirectory(raw).entries) {
      if (node.type === "symlink") continue;
      const key = node.digest.toBytes();
      const isStored =
        node.type === "directory"
          ? this.#index.has(RecordKind.DIRECTORY, key) || node.digest.equals(EMPTY_DIGEST)
          : this.#index.has(RecordKind.CHUNK, key) || this.#index.has(RecordKind.CHUNK_LIST, key);
      if (isStored) continue;
      return this.#finding(
        "reference",
        record,
        `its ${node.type} "${name}" (${node.digest}) is not stored`,
      );
    }
    return undefined;
  }

  async #checkChunkList(record: IndexedRecord, raw: Uint8Array): Promise<CheckFinding | undefined> {
    const hash = createBlake3();
    try {
      return await this.#hashChunks(record, raw, hash);
    } finally {
      hash.dispose();
    }
  }

  async #hashChunks(
    record: IndexedRecord,
    raw: Uint8Array,
    hash: Blake3Hash,
  ): Promise<CheckFinding | undefined> {
    for (const chunk of decodeChunkList(raw)) {
      this.#options.signal?.throwIfAborted();
      const bytes = await this.#core.read(RecordKind.CHUNK, chunk.digest.toBytes());
      if (bytes === undefined)
        return this.#finding("reference", record, `its chunk ${chunk.digest} is not stored`);
      if (bytes.byteLength !== chunk.size) {
        return this.#finding("record", record, `its chunk ${chunk.digest} has another size`);
      }
      hash.update(bytes);
    }
    if (hash.digest().equalsBytes(record.key)) return undefined;
    return this.#finding("record", record, "its chunks do not make it up");
  }

  #step(record: IndexedRecord): void {
    this.#records += 1;
    this.#bytes += record.stored;
    if (this.#records % PROGRESS_RECORDS !== 0) return;
    this.#options.signal?.throwIfAborted();
    this.#options.onProgress?.({
      records: this.#records,
      totalRecords: this.#total.records,
      bytes: this.#bytes,
      totalBytes: this.#total.bytes,
    });
  }

  #finding(type: CheckFinding["type"], record: IndexedRecord, message: string): CheckFinding {
    const what = describeRecord(record.kind, record.key);
    const text = message.startsWith("Cannot") ? message : `The ${what} is wrong: ${message}`;
    return {
      type,
      pack: packFileName(record.pack),
      subject:
        record.kind === RecordKind.PATH_INFO ? what : B3Digest.fromBytes(record.key).toString(),
      message: text,
    };
  }
}
