// The index as a database: its schema, its marks, and what its errors mean.
import Database from "better-sqlite3";
import { copyBytes } from "../bytes.js";
import { CastoreError } from "../errors.js";
import type { IndexedPack } from "./index-rows.js";

/** Version of the schema below, kept in SQLite's `user_version`. */
const SCHEMA_VERSION = 2;

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
    sealed integer not null,       -- 1: never appended to again
    identity blob                  -- 16 bytes; null when nothing in it could be read
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
  if (code.startsWith("SQLITE_READONLY") || code === "SQLITE_PERM") {
    return new CastoreError("PERMISSION_DENIED", `${what}: ${text}`, { cause });
  }
  return new CastoreError("STORAGE", `${what}: ${text}`, { cause });
}

/** {@link databaseError} for what may be an error of ours already. */
export function indexError(error: unknown, what: string): CastoreError {
  return CastoreError.is(error) ? error : databaseError(error, what);
}

/** For messages: what failed. */
export const READ = "Cannot read the index";

/** The result of `action`; what SQLite throws becomes an error of ours. */
export function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw indexError(error, what);
  }
}

/** The rows of a query one by one; no statement that writes can run meanwhile on its connection. */
export function* rows<T>(
  statement: Database.Statement<[number], T>,
  parameter: number,
): Generator<T, void, undefined> {
  try {
    yield* statement.iterate(parameter);
  } catch (error) {
    throw indexError(error, READ);
  }
}

/** Whether a database has nothing in it, not even the mark of ours. */
export function isBlank(file: string): boolean {
  const database = attempt(READ, () => openDatabase(file, true));
  try {
    return attempt(READ, () => pragmaNumber(database, "schema_version")) === 0;
  } finally {
    database.close();
  }
}

/** Opens a database the way that suits an index. */
export function openDatabase(file: string, readonly: boolean): Database.Database {
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

/** Makes the tables of a new index. */
export function createSchema(database: Database.Database): void {
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

/** @throws {@link CastoreError} "CORRUPT" or "UNSUPPORTED" unless it is an index that we know */
export function checkSchema(database: Database.Database): void {
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

/** The value of a pragma that is a number. */
export function pragmaNumber(database: Database.Database, name: string): number {
  return Number(database.pragma(name, { simple: true }));
}

/** What the index knows of all packs, in the order of their numbers. */
export function readPacks(database: Database.Database): IndexedPack[] {
  return database
    .prepare<[], { id: number; length: number; sealed: number; identity: Uint8Array | null }>(
      "select id, length, sealed, identity from pack order by id",
    )
    .all()
    .map(({ id, length, sealed, identity }) => ({
      id,
      length,
      sealed: sealed === 1,
      identity: identity === null ? undefined : copyBytes(identity),
    }));
}
