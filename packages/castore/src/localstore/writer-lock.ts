import fs from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import Database from "better-sqlite3";
import { databaseError } from "./index-schema.js";
import { isNodeError } from "./layout.js";

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

/** So often it looks for the name of the holder, who may have the lock and not have written it yet. */
const HOLDER_TRIES = 10;

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

  /**
   * Takes the lock if nobody has it; `undefined` otherwise.
   *
   * @throws {@link CastoreError} when the file cannot be used
   */
  static tryAcquire(directory: string, purpose: string): WriterLock | undefined {
    const database = lockDatabase(path.join(directory, LOCK_FILE));
    if (database === undefined) return undefined;
    const lock = new WriterLock(database, directory);
    const holder = { pid: process.pid, purpose, since: new Date().toISOString() };
    try {
      fs.writeFileSync(path.join(directory, HOLDER_FILE), `${JSON.stringify(holder)}\n`);
    } catch {
      // The disk may be full: the lock is ours without it, only nobody is told whose it is.
    }
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
    for (let tries = 1; ; tries++) {
      const lock = WriterLock.tryAcquire(directory, purpose);
      if (lock !== undefined) return lock;
      const holder = told ? undefined : readHolder(directory);
      if (!told && (holder !== undefined || tries === HOLDER_TRIES)) {
        told = true;
        onWait(holder);
      }
      await delay(RETRY_MS);
    }
  }

  release(): void {
    try {
      fs.rmSync(path.join(this.#directory, HOLDER_FILE), { force: true });
    } finally {
      this.#database.close();
    }
  }
}

/** The locked file; `undefined` when another process has the lock. */
function lockDatabase(file: string): Database.Database | undefined {
  let database: Database.Database | undefined;
  try {
    database = new Database(file, { timeout: 0 });
    database.exec("begin immediate");
    return database;
  } catch (error) {
    database?.close();
    const failure = databaseError(error, "Cannot lock the store");
    if (failure.code === "UNAVAILABLE") return undefined;
    throw failure;
  }
}

/** Who has the lock, as far as it can be read; `undefined` when nobody says so, or who has ended. */
export function readHolder(directory: string): LockHolder | undefined {
  try {
    const value: unknown = JSON.parse(fs.readFileSync(path.join(directory, HOLDER_FILE), "utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    const { pid, purpose, since } = value as Record<string, unknown>;
    if (typeof pid !== "number" || typeof purpose !== "string" || typeof since !== "string")
      return undefined;
    return isAlive(pid) ? { pid, purpose, since: new Date(since) } : undefined;
  } catch {
    // Not there, or being written at this moment: it only serves a message.
    return undefined;
  }
}

/** A process that was killed leaves its name behind. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return isNodeError(error, "EPERM");
  }
}
