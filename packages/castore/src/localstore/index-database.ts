import fs from "node:fs";
import Database from "better-sqlite3";
import { CastoreError } from "../errors.js";
import type {
  IndexedPack,
  IndexedRecord,
  KindTotals,
  RecordLocation,
  RecordPlace,
} from "./index-rows.js";
import {
  attempt,
  checkSchema,
  createSchema,
  indexError,
  isBlank,
  openDatabase,
  pragmaNumber,
  READ,
  readPacks,
  rows,
} from "./index-schema.js";
import {
  PACK_HEADER_LENGTH,
  RECORD_HEADER_LENGTH,
  RECORD_KEY_LENGTH,
  type RecordHeader,
  type RecordKind,
} from "./pack-format.js";

/** The parameters of {@link ABSENT}. */
interface AbsentQuery {
  readonly keys: Uint8Array;
  readonly count: number;
  readonly kind: RecordKind;
  readonly other: RecordKind;
}

/** Numbers of keys, from 0, that no record of one kind has. */
export interface AbsentKeys {
  /** Those that no record of the other kind has either. */
  readonly neither: readonly number[];
  readonly other: readonly number[];
}

/** Of each key that is not in the one kind its number, doubled, and 1 more when it is in the other. */
const ABSENT = `
  with recursive wanted(i, key) as (
    select 0, substr(@keys, 1, ${RECORD_KEY_LENGTH})
    union all
    select i + 1, substr(@keys, (i + 1) * ${RECORD_KEY_LENGTH} + 1, ${RECORD_KEY_LENGTH})
    from wanted where i + 1 < @count
  )
  select 2 * i + exists (select 1 from record where kind = @other and key = wanted.key)
  from wanted
  where not exists (select 1 from record where kind = @kind and key = wanted.key)`;

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
  readonly #absent: Database.Statement<[AbsentQuery], number>;
  readonly #derived: Database.Statement<[string, Uint8Array], Uint8Array>;
  readonly #identity: Database.Statement<[number], Uint8Array | null>;

  /** @throws {@link CastoreError} "CORRUPT" or "UNSUPPORTED" when it is not an index of ours */
  constructor(file: string) {
    const database = attempt("Cannot open the index", () => openDatabase(file, true));
    try {
      checkSchema(database);
      this.#begin = database.prepare("begin");
      this.#end = database.prepare("rollback");
      this.#find = database.prepare(
        "select pack, offset, stored, raw, codec from record where kind = ? and key = ?",
      );
      this.#exists = database
        .prepare<[number, Uint8Array], number>("select 1 from record where kind = ? and key = ?")
        .pluck();
      this.#absent = database.prepare<[AbsentQuery], number>(ABSENT).pluck();
      this.#derived = database
        .prepare<[string, Uint8Array], Uint8Array>(
          "select value from derived where space = ? and key = ?",
        )
        .pluck();
      this.#identity = database
        .prepare<[number], Uint8Array | null>("select identity from pack where id = ?")
        .pluck();
    } catch (error) {
      database.close();
      throw indexError(error, "Cannot open the index");
    }
    this.#database = database;
  }

  /** The index; `undefined` when the file does not exist, or is being made at this moment. */
  static openIfMade(file: string): IndexReader | undefined {
    if (!fs.existsSync(file)) return undefined;
    try {
      return new IndexReader(file);
    } catch (error) {
      if (CastoreError.is(error, "CORRUPT") && isBlank(file)) return undefined;
      throw error;
    }
  }

  /** Lets the next lookup see the newest state. */
  refresh(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // An error in a lookup may have ended it already.
    if (this.#database.inTransaction) this.#end.run();
  }

  has(kind: RecordKind, key: Uint8Array): boolean {
    return this.#lookup(() => this.#exists.get(kind, key)) !== undefined;
  }

  find(kind: RecordKind, key: Uint8Array): RecordLocation | undefined {
    return this.#lookup(() => this.#find.get(kind, key));
  }

  /**
   * Which of many keys no record of one kind has: a question for all takes a third of the time of one for
   * each.
   *
   * @param kinds - that kind, and another one, of which is told whether it has them
   * @param keys - of 32 bytes, one behind the other
   */
  absent([kind, other]: readonly [RecordKind, RecordKind], keys: Uint8Array): AbsentKeys {
    const count = keys.byteLength / RECORD_KEY_LENGTH;
    const absent: { neither: number[]; other: number[] } = { neither: [], other: [] };
    if (count === 0) return absent;
    for (const found of this.#lookup(() => this.#absent.all({ keys, count, kind, other }))) {
      (found % 2 === 0 ? absent.neither : absent.other).push(found >>> 1);
    }
    return absent;
  }

  /** All records of a kind, in the order in which they lie in the packs. */
  recordsInPackOrder(kind: RecordKind): Generator<IndexedRecord, void, undefined> {
    return rows(
      this.#database.prepare<[number], IndexedRecord>(
        "select kind, key, pack, offset, stored, raw, codec from record where kind = ? order by pack, offset",
      ),
      kind,
    );
  }

  /** Up to `limit` records of a kind whose keys come after `after`, in byte order. */
  recordsAfter(kind: RecordKind, after: Uint8Array, limit: number): IndexedRecord[] {
    return attempt(READ, () =>
      this.#database
        .prepare<[number, Uint8Array, number], IndexedRecord>(
          "select kind, key, pack, offset, stored, raw, codec from record where kind = ? and key > ? order by key limit ?",
        )
        .all(kind, after, limit),
    );
  }

  /** Where the records of a pack are, in their order. */
  placesIn(pack: number): Generator<RecordPlace, void, undefined> {
    return rows(
      this.#database.prepare<[number], RecordPlace>(
        "select offset, stored from record where pack = ? order by offset",
      ),
      pack,
    );
  }

  /** The identity of a pack; `undefined` when it is not known. */
  identityOf(pack: number): Uint8Array | undefined {
    return this.#lookup(() => this.#identity.get(pack)) ?? undefined;
  }

  packs(): IndexedPack[] {
    return attempt(READ, () => readPacks(this.#database));
  }

  totals(): KindTotals[] {
    return attempt(READ, () =>
      this.#database
        .prepare<[], KindTotals>(
          "select kind, count(*) as records, sum(raw) as raw, sum(stored) as stored from record group by kind",
        )
        .all(),
    );
  }

  /** What SQLite finds wrong with the structure of the index; `undefined` when nothing is. */
  damage(): string | undefined {
    const result = attempt(READ, () => this.#database.pragma("quick_check(1)", { simple: true }));
    return result === "ok" ? undefined : String(result);
  }

  derived(space: string, key: Uint8Array): Uint8Array | undefined {
    return this.#lookup(() => this.#derived.get(space, key));
  }

  close(): void {
    this.refresh();
    this.#database.close();
  }

  #lookup<T>(lookup: () => T): T {
    try {
      this.#share();
      return lookup();
    } catch (error) {
      throw indexError(error, READ);
    }
  }

  #share(): void {
    if (this.#isOpen) return;
    this.#begin.run();
    this.#isOpen = true;
    setImmediate(() => this.#database.open && this.refresh());
  }
}

/** The columns of the table `record`, in their order. */
type RecordColumns = [number, Uint8Array, number, number, number, number, number];

function columnsOf(header: RecordHeader, pack: number, offset: number): RecordColumns {
  const { kind, key, storedLength, rawLength, codec } = header;
  return [kind, key, pack, offset, storedLength, rawLength, codec];
}

/** Writes the index. Only the holder of the writer's lock has one. */
export class IndexWriter {
  readonly #database: Database.Database;
  readonly #insert: Database.Statement<RecordColumns>;
  readonly #replace: Database.Statement<RecordColumns>;
  readonly #exists: Database.Statement<[number, Uint8Array], number>;
  readonly #savePack: Database.Statement<[number, number, number, Uint8Array | null]>;
  readonly #saveDerived: Database.Statement<[string, Uint8Array, Uint8Array]>;

  /** Opens the index, or makes an empty one. */
  constructor(file: string) {
    this.#database = openDatabase(file, false);
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
      "insert or replace into pack (id, length, sealed, identity) values (?, ?, ?, ?)",
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
    this.#insert.run(...columnsOf(header, pack, offset));
  }

  /** Puts the record in the place of one that was written before it. */
  replace(header: RecordHeader, pack: number, offset: number): void {
    this.#replace.run(...columnsOf(header, pack, offset));
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
    this.#savePack.run(pack.id, pack.length, pack.sealed ? 1 : 0, pack.identity ?? null);
  }

  saveDerived(space: string, key: Uint8Array, value: Uint8Array): void {
    this.#saveDerived.run(space, key, value);
  }

  /**
   * Leaves all of it in one file. The two others that SQLite keeps beside it stay, empty: who may
   * only read could not make them.
   */
  close(): void {
    const last = new Database(this.#database.name, { readonly: true });
    try {
      pragmaNumber(last, "schema_version");
      // Readers at work are not waited for.
      this.#database.pragma("busy_timeout = 0");
      this.#database.pragma("wal_checkpoint(TRUNCATE)");
    } finally {
      this.#database.close();
      last.close();
    }
  }
}
