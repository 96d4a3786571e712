import Database from "better-sqlite3";
import { CastoreError } from "../errors.js";
import {
  PACK_HEADER_LENGTH,
  RECORD_HEADER_LENGTH,
  type RecordCodec,
  type RecordHeader,
  type RecordKind,
} from "./pack-format.js";

/** Version of the schema below, kept in SQLite's `user_version`. */
const SCHEMA_VERSION = 1;

/** "tvix", kept in SQLite's `application_id`, so that other databases are not taken for ours. */
const APPLICATION_ID = 0x74766978;

/**
 * How long SQLite itself waits for the short locks that other connections take, in milliseconds.
 * The writer's lock is another one, see writer-lock.ts.
 */
const BUSY_TIMEOUT_MS = 30_000;

const SCHEMA = `
  create table pack (
    id integer primary key,
    length integer not null,       -- bytes of it that are indexed
    sealed integer not null        -- 1: never appended to again
  ) strict;
  create table record (
    kind integer not null,
    key blob not null,             -- 32 bytes
    pack integer not null,
    offset integer not null,       -- of the record's header
    stored integer not null,       -- payload bytes in the pack
    raw integer not null,          -- payload bytes
    codec integer not null,
    primary key (kind, key)
  ) strict, without rowid;
  create table derived (
    space text not null,
    key blob not null,
    value blob not null,
    unique (space, key)
  ) strict;
`;

/** Where a record is. */
export interface RecordLocation {
  readonly pack: number;
  /** Of the record's header. */
  readonly offset: number;
  /** Length of the payload in the pack. */
  readonly stored: number;
  /** Length of the payload. */
  readonly raw: number;
  readonly codec: RecordCodec;
}

/** A record and where it is. */
export interface IndexedRecord extends RecordLocation {
  readonly kind: RecordKind;
  readonly key: Uint8Array;
}

/** What the index knows of a pack. */
export interface IndexedPack {
  readonly id: number;
  readonly length: number;
  readonly sealed: boolean;
}

/** Count and bytes of the records of one kind. */
export interface KindTotals {
  readonly kind: RecordKind;
  readonly records: number;
  readonly raw: number;
  readonly stored: number;
}

/** Maps an error of SQLite to ours. */
export function databaseError(cause: unknown, what: string): CastoreError {
  const code = cause instanceof Database.SqliteError ? cause.code : "";
  const text = cause instanceof Error ? cause.message : String(cause);
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB") {
    return new CastoreError("CORRUPT", `${what}: the index is damaged: ${text}`, { cause });
  }
  if (code.startsWith("SQLITE_BUSY")) {
    return new CastoreError("UNAVAILABLE", `${what}: the index is in use: ${text}`, { cause });
  }
  return new CastoreError("STORAGE", `${what}: ${text}`, { cause });
}

function open(file: string, readonly: boolean): Database.Database {
  const database = new Database(file, {
    readonly,
    fileMustExist: readonly,
    timeout: BUSY_TIMEOUT_MS,
  });
  try {
    // 16 MiB of page cache: digests are random keys. No mapped I/O, where a failing disk would kill
    // the process instead of giving an error.
    database.pragma("cache_size = -16384");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Reads the index; never waits for the writer.
 *
 * Lookups within one turn of the event loop share one state of it, which spares most of what each
 * would cost alone; {@link refresh} ends that early. So a commit of another process is seen by the
 * next turn, and one of our own at once, if whoever is told of it refreshes.
 */
export class IndexReader {
  readonly #database: Database.Database;
  readonly #begin: Database.Statement<[]>;
  readonly #end: Database.Statement<[]>;
  #isOpen = false;
  readonly #find: Database.Statement<[number, Uint8Array], RecordLocation>;
  readonly #exists: Database.Statement<[number, Uint8Array], number>;
  readonly #derived: Database.Statement<[string, Uint8Array], Uint8Array>;

  /** @throws {@link CastoreError} "CORRUPT" or "UNSUPPORTED" when it is not an index of ours */
  constructor(file: string) {
    try {
      this.#database = open(file, true);
      checkSchema(this.#database);
    } catch (error) {
      throw CastoreError.is(error) ? error : databaseError(error, "Cannot open the index");
    }
    this.#begin = this.#database.prepare("begin");
    this.#end = this.#database.prepare("commit");
    this.#find = this.#database.prepare(
      "select pack, offset, stored, raw, codec from record where kind = ? and key = ?",
    );
    this.#exists = this.#database
      .prepare<[number, Uint8Array], number>("select 1 from record where kind = ? and key = ?")
      .pluck();
    this.#derived = this.#database
      .prepare<[string, Uint8Array], Uint8Array>(
        "select value from derived where space = ? and key = ?",
      )
      .pluck();
  }

  /** Lets the next lookup see the newest state. */
  refresh(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#end.run();
  }

  has(kind: RecordKind, key: Uint8Array): boolean {
    this.#share();
    return this.#exists.get(kind, key) !== undefined;
  }

  find(kind: RecordKind, key: Uint8Array): RecordLocation | undefined {
    this.#share();
    return this.#find.get(kind, key);
  }

  /** All records of a kind, in the order in which they lie in the packs. */
  recordsInPackOrder(kind: RecordKind): IterableIterator<IndexedRecord> {
    return this.#database
      .prepare<[number], IndexedRecord>(
        "select kind, key, pack, offset, stored, raw, codec from record where kind = ? order by pack, offset",
      )
      .iterate(kind);
  }

  /** Up to `limit` records of a kind whose keys come after `after`, in byte order. */
  recordsAfter(kind: RecordKind, after: Uint8Array, limit: number): IndexedRecord[] {
    return this.#database
      .prepare<[number, Uint8Array, number], IndexedRecord>(
        "select kind, key, pack, offset, stored, raw, codec from record where kind = ? and key > ? order by key limit ?",
      )
      .all(kind, after, limit);
  }

  packs(): IndexedPack[] {
    return readPacks(this.#database);
  }

  totals(): KindTotals[] {
    return this.#database
      .prepare<[], KindTotals>(
        "select kind, count(*) as records, sum(raw) as raw, sum(stored) as stored from record group by kind",
      )
      .all();
  }

  derived(space: string, key: Uint8Array): Uint8Array | undefined {
    this.#share();
    return this.#derived.get(space, key);
  }

  close(): void {
    this.refresh();
    this.#database.close();
  }

  #share(): void {
    if (this.#isOpen) return;
    this.#begin.run();
    this.#isOpen = true;
    setImmediate(() => this.#database.open && this.refresh());
  }
}

/** Writes the index. Only the holder of the writer's lock has one. */
export class IndexWriter {
  readonly #database: Database.Database;
  readonly #insert: Database.Statement<
    [number, Uint8Array, number, number, number, number, number]
  >;
  readonly #replace: Database.Statement<
    [number, Uint8Array, number, number, number, number, number]
  >;
  readonly #exists: Database.Statement<[number, Uint8Array], number>;
  readonly #savePack: Database.Statement<[number, number, number]>;
  readonly #saveDerived: Database.Statement<[string, Uint8Array, Uint8Array]>;

  /** Opens the index, or makes an empty one. */
  constructor(file: string) {
    this.#database = open(file, false);
    try {
      this.#database.pragma("journal_mode = WAL");
      // The packs are what is made durable. Commits that a power loss takes back are made again from
      // the packs when the store is opened next.
      this.#database.pragma("synchronous = NORMAL");
      createSchema(this.#database);
      checkSchema(this.#database);
    } catch (error) {
      this.#database.close();
      throw error;
    }
    const columns =
      "into record (kind, key, pack, offset, stored, raw, codec) values (?, ?, ?, ?, ?, ?, ?)";
    this.#insert = this.#database.prepare(`insert or ignore ${columns}`);
    this.#replace = this.#database.prepare(
      `insert ${columns} on conflict (kind, key) do update set pack = excluded.pack,
        offset = excluded.offset, stored = excluded.stored, raw = excluded.raw, codec = excluded.codec
        where (excluded.pack, excluded.offset) > (record.pack, record.offset)`,
    );
    this.#exists = this.#database
      .prepare<[number, Uint8Array], number>("select 1 from record where kind = ? and key = ?")
      .pluck();
    this.#savePack = this.#database.prepare(
      "insert or replace into pack (id, length, sealed) values (?, ?, ?)",
    );
    this.#saveDerived = this.#database.prepare(
      "insert or replace into derived (space, key, value) values (?, ?, ?)",
    );
  }

  has(kind: RecordKind, key: Uint8Array): boolean {
    return this.#exists.get(kind, key) !== undefined;
  }

  packs(): IndexedPack[] {
    return readPacks(this.#database);
  }

  /** Runs `changes` as one transaction. */
  commit(changes: () => void): void {
    this.#database.transaction(changes).immediate();
  }

  /** Keeps the record that is there already, if there is one. */
  insert(header: RecordHeader, pack: number, offset: number): void {
    this.#insert.run(
      header.kind,
      header.key,
      pack,
      offset,
      header.storedLength,
      header.rawLength,
      header.codec,
    );
  }

  /** Puts the record in the place of one that was written before it. */
  replace(header: RecordHeader, pack: number, offset: number): void {
    this.#replace.run(
      header.kind,
      header.key,
      pack,
      offset,
      header.storedLength,
      header.rawLength,
      header.codec,
    );
  }

  /**
   * Drops the records of a pack that do not end before `size`.
   *
   * @returns where the last of the others ends
   */
  forgetBehind(pack: number, size: number): number {
    const end = `offset + ${RECORD_HEADER_LENGTH} + stored`;
    this.#database.prepare(`delete from record where pack = ? and ${end} > ?`).run(pack, size);
    const last = this.#database.prepare<[number], number | null>(
      `select max(${end}) from record where pack = ?`,
    );
    return last.pluck().get(pack) ?? PACK_HEADER_LENGTH;
  }

  savePack(pack: IndexedPack): void {
    this.#savePack.run(pack.id, pack.length, pack.sealed ? 1 : 0);
  }

  saveDerived(space: string, key: Uint8Array, value: Uint8Array): void {
    this.#saveDerived.run(space, key, value);
  }

  close(): void {
    this.#database.close();
  }
}

function createSchema(database: Database.Database): void {
  database
    .transaction(() => {
      if (pragmaNumber(database, "user_version") !== 0) return;
      if (pragmaNumber(database, "schema_version") !== 0) return;
      database.exec(SCHEMA);
      database.pragma(`application_id = ${APPLICATION_ID}`);
      database.pragma(`user_version = ${SCHEMA_VERSION}`);
    })
    .immediate();
}

function checkSchema(database: Database.Database): void {
  if (pragmaNumber(database, "application_id") !== APPLICATION_ID) {
    throw new CastoreError("CORRUPT", "Cannot open the index: it is another kind of database");
  }
  const version = pragmaNumber(database, "user_version");
  if (version !== SCHEMA_VERSION) {
    throw new CastoreError(
      "UNSUPPORTED",
      `Cannot open the index: schema version ${version}, this program knows ${SCHEMA_VERSION}`,
    );
  }
}

function pragmaNumber(database: Database.Database, name: string): number {
  return Number(database.pragma(name, { simple: true }));
}

function readPacks(database: Database.Database): IndexedPack[] {
  return database
    .prepare<[], { id: number; length: number; sealed: number }>(
      "select id, length, sealed from pack order by id",
    )
    .all()
    .map((row) => ({ ...row, sealed: row.sealed === 1 }));
}
