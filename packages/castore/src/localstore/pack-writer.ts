import { equalBytes, toLatin1 } from "../bytes.js";
import { CastoreError } from "../errors.js";
import type { IndexWriter } from "./index-database.js";
import type { IndexedPack } from "./index-rows.js";
import { databaseError } from "./index-schema.js";
import type { PackFile, PackFiles } from "./pack-files.js";
import {
  encodePackHeader,
  isReplaceable,
  newPackIdentity,
  PACK_HEADER_LENGTH,
  parseRecordHeader,
  RECORD_HEADER_LENGTH,
  type RecordHeader,
  sealRecordHeader,
} from "./pack-format.js";

/** Packs are sealed at this size: small enough to copy or rewrite one, large enough to have few. */
const DEFAULT_PACK_LIMIT: number = 512 * 1024 * 1024;

/** One request to the writer. */
export interface WriteJob {
  /** Whole records, one after the other; the writer completes their headers where they lie. */
  readonly records: Uint8Array;
  readonly derived?: readonly DerivedEntry[];
}

/** One value for a `DerivedCache`. */
export interface DerivedEntry {
  readonly space: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** How many records, and how many payload bytes before and after compression. */
export interface RecordCount {
  records: number;
  rawBytes: number;
  storedBytes: number;
}

/** What became of the records of a job. */
export interface WriteOutcome {
  /** Those that the store did not have. */
  readonly added: RecordCount;
  /** Those that it had. */
  readonly known: RecordCount;
}

/** The pack that is appended to. */
interface OpenPack {
  readonly file: PackFile;
  pack: IndexedPack & { readonly identity: Uint8Array };
}

interface PlannedRecord {
  readonly header: RecordHeader;
  readonly offset: number;
}

/**
 * Appends records to packs and indexes them, a group of jobs at a time. The order is what makes an
 * acknowledged write safe: append, make the pack durable, commit the index, return.
 *
 * After a failure of the storage below nothing more is accepted: what is on disk then is as a crash
 * would have left it, and opening the store anew puts that in order.
 */
export class PackWriter {
  readonly #index: IndexWriter;
  readonly #files: PackFiles;
  readonly #limit: number;
  #current: OpenPack | undefined;
  #failure: unknown;

  /** The index must agree with the packs, see `reconcile()`. */
  constructor(index: IndexWriter, files: PackFiles, limit: number = DEFAULT_PACK_LIMIT) {
    this.#index = index;
    this.#files = files;
    this.#limit = limit;
  }

  /**
   * Writes a group of jobs with one flush and one commit. When it returns, all of them are durable
   * and visible to readers; when it throws, none of them counts as written.
   *
   * @throws {@link CastoreError} "STORAGE", or "CORRUPT" when the index is damaged
   */
  write(jobs: readonly WriteJob[]): WriteOutcome[] {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#write(jobs);
    } catch (error) {
      this.#failure = storageError(error);
      this.#undoTail();
      throw this.#failure;
    }
  }

  close(): void {
    this.#current?.file.close();
    this.#current = undefined;
  }

  #write(jobs: readonly WriteJob[]): WriteOutcome[] {
    const derived = jobs.flatMap((job) => job.derived ?? []);
    const inGroup = new Set<string>();
    const outcomes: WriteOutcome[] = [];
    let planned: PlannedRecord[] = [];
    let parts: Uint8Array[] = [];
    let target = this.#appendable();
    let end = target.pack.length;
    for (const job of jobs) {
      const outcome: WriteOutcome = { added: emptyCount(), known: emptyCount() };
      outcomes.push(outcome);
      for (const record of parseRecords(job.records)) {
        const isNew = this.#isNew(record.header, inGroup);
        count(isNew ? outcome.added : outcome.known, record.header);
        if (!isNew) continue;
        if (end + record.bytes.byteLength > this.#limit && end > PACK_HEADER_LENGTH) {
          this.#flush(target, parts, planned, end, []);
          target = this.#nextPack(target, end);
          [planned, parts, end] = [[], [], target.pack.length];
        }
        sealRecordHeader(record.bytes, { identity: target.pack.identity, offset: end });
        planned.push({ header: record.header, offset: end });
        appendPart(parts, record.bytes);
        end += record.bytes.byteLength;
      }
    }
    this.#flush(target, parts, planned, end, derived);
    return outcomes;
  }

  /** Some kinds may be replaced; everything else is what its key says and needs to be there once. */
  #isNew(header: RecordHeader, inGroup: Set<string>): boolean {
    if (isReplaceable(header.kind)) return true;
    const key = header.kind + toLatin1(header.key);
    if (inGroup.has(key) || this.#index.has(header.kind, header.key)) return false;
    inGroup.add(key);
    return true;
  }

  #flush(
    target: OpenPack,
    parts: readonly Uint8Array[],
    planned: readonly PlannedRecord[],
    end: number,
    derived: readonly DerivedEntry[],
  ): void {
    const { file, pack } = target;
    if (parts.length > 0) {
      file.write(parts, pack.length);
      file.sync();
    }
    if (parts.length === 0 && derived.length === 0) return;
    this.#index.commit(() => {
      for (const { header, offset } of planned) {
        if (isReplaceable(header.kind)) this.#index.replace(header, pack.id, offset);
        else this.#index.insert(header, pack.id, offset);
      }
      for (const entry of derived) this.#index.saveDerived(entry.space, entry.key, entry.value);
      if (parts.length > 0) this.#index.savePack({ ...pack, length: end });
    });
    target.pack = { ...pack, length: end };
  }

  /** The pack that is appended to; the first is only made when there is something to write. */
  #appendable(): OpenPack {
    if (this.#current !== undefined) return this.#current;
    const last = this.#index.packs().at(-1);
    this.#current = (last && this.#reopen(last)) ?? this.#createPack((last?.id ?? 0) + 1);
    return this.#current;
  }

  /** The last pack, unless it is full or its header is not what the index and the records go by. */
  #reopen({ identity, ...pack }: IndexedPack): OpenPack | undefined {
    if (pack.sealed || pack.length >= this.#limit || identity === undefined) return undefined;
    const file = this.#files.open(pack.id);
    const header = new Uint8Array(PACK_HEADER_LENGTH);
    file.read(header, 0);
    if (equalBytes(header, encodePackHeader(identity)))
      return { file, pack: { ...pack, identity } };
    file.close();
    return undefined;
  }

  #nextPack({ file, pack }: OpenPack, length: number): OpenPack {
    this.#index.commit(() => this.#index.savePack({ ...pack, length, sealed: true }));
    file.close();
    this.#current = undefined;
    this.#current = this.#createPack(pack.id + 1);
    return this.#current;
  }

  #createPack(id: number): OpenPack {
    const identity = newPackIdentity();
    const file = this.#files.create(id);
    file.write([encodePackHeader(identity)], 0);
    file.sync();
    const pack = { id, length: PACK_HEADER_LENGTH, sealed: false, identity };
    this.#index.commit(() => this.#index.savePack(pack));
    return { file, pack };
  }

  /** Gives the space of a failed write back, if it can be; the next start does it otherwise. */
  #undoTail(): void {
    if (this.#current === undefined) return;
    try {
      this.#current.file.truncate(this.#current.pack.length);
    } catch {
      // The failure that led here is the one to report.
    }
  }
}

interface ParsedRecord {
  readonly header: RecordHeader;
  readonly bytes: Uint8Array;
}

function* parseRecords(records: Uint8Array): Generator<ParsedRecord> {
  for (let offset = 0; offset < records.byteLength; ) {
    const header = parseRecordHeader(records, offset);
    const end = offset + RECORD_HEADER_LENGTH + (header?.storedLength ?? 0);
    if (header === undefined || end > records.byteLength) {
      throw new TypeError(`Cannot write records: no whole record at offset ${offset}`);
    }
    yield { header, bytes: records.subarray(offset, end) };
    offset = end;
  }
}

/** Adds `bytes` to `parts`, to the last of them where it goes on in memory: fewer, larger writes. */
function appendPart(parts: Uint8Array[], bytes: Uint8Array): void {
  const last = parts.at(-1);
  const adjoins =
    last?.buffer === bytes.buffer && last.byteOffset + last.byteLength === bytes.byteOffset;
  if (last !== undefined && adjoins) {
    parts[parts.length - 1] = new Uint8Array(
      bytes.buffer,
      last.byteOffset,
      last.byteLength + bytes.byteLength,
    );
  } else {
    parts.push(bytes);
  }
}

function emptyCount(): RecordCount {
  return { records: 0, rawBytes: 0, storedBytes: 0 };
}

function count(total: RecordCount, header: RecordHeader): void {
  total.records += 1;
  total.rawBytes += header.rawLength;
  total.storedBytes += header.storedLength;
}

function storageError(cause: unknown): unknown {
  if (CastoreError.is(cause) || cause instanceof TypeError) return cause;
  return databaseError(cause, "Cannot write to the store");
}
