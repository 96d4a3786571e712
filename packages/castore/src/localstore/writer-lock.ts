import fs from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import Database from "better-sqlite3";
import { databaseError } from "./index-database.js";

/** Which process writes to a store. */
export interface LockHolder {
  readonly pid: number;
  /** What it does, in its own words. */
  readonly purpose: string;
  readonly since: Date;
}

const LOCK_FILE = "lock";
const HOLDER_FILE = "lock.json";

/** How often a waiting writer tries again, in milliseconds: not felt by people, no load. */
const RETRY_MS = 20;

/**
 * The right to write to a data directory: one process at a time has it. It is a lock of the operating
 * system on the file `lock` (through SQLite, which knows how on every platform), so it ends with the
 * process, however that ends. The file `lock.json` says who has it, for people who wait.
 */
export class WriterLock {
  readonly #database: Database.Database;
  readonly #directory: string;

  private constructor(database: Database.Database, directory: string) {
    this.#database = database;
    this.#directory = directory;
  }

  /** Takes the lock if nobody has it; `undefined` otherwise. */
  static tryAcquire(directory: string, purpose: string): WriterLock | undefined {
    const database = new Database(path.join(directory, LOCK_FILE), { timeout: 0 });
    try {
      database.exec("begin immediate");
    } catch (error) {
      database.close();
      if (error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY"))
        return undefined;
      throw databaseError(error, "Cannot lock the store");
    }
    const lock = new WriterLock(database, directory);
    const holder = { pid: process.pid, purpose, since: new Date().toISOString() };
    fs.writeFileSync(path.join(directory, HOLDER_FILE), `${JSON.stringify(holder)}\n`);
    return lock;
  }

  /**
   * Waits for the lock.
   *
   * @param onWait - called once if somebody else has it
   */
  static async acquire(
    directory: string,
    purpose: string,
    onWait: (holder: LockHolder | undefined) => void,
  ): Promise<WriterLock> {
    let told = false;
    for (;;) {
      const lock = WriterLock.tryAcquire(directory, purpose);
      if (lock !== undefined) return lock;
      if (!told) onWait(readHolder(directory));
      told = true;
      await delay(RETRY_MS);
    }
  }

  release(): void {
    fs.rmSync(path.join(this.#directory, HOLDER_FILE), { force: true });
    this.#database.close();
  }
}

/** Who has the lock, as far as it can be read; `undefined` when nobody says so. */
export function readHolder(directory: string): LockHolder | undefined {
  try {
    const value: unknown = JSON.parse(fs.readFileSync(path.join(directory, HOLDER_FILE), "utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    const { pid, purpose, since } = value as Record<string, unknown>;
    if (typeof pid !== "number" || typeof purpose !== "string" || typeof since !== "string")
      return undefined;
    return { pid, purpose, since: new Date(since) };
  } catch {
    // Not there, or being written at this moment: it only serves a message.
    return undefined;
  }
}
