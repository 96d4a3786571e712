import { toLatin1 } from "../bytes.js";

/** One note and the key it is found under. */
export interface CacheNote {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * Where a cache keeps what it has read from far, apart from the store that is near. Whatever is lost is fetched again.
 * `LocalStore.derived()` gives one that outlives the process.
 */
export interface CacheNotes {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  putMany(notes: readonly CacheNote[]): Promise<void>;
}

/** Bytes that wait to be written. What comes beyond is not kept: nobody who reads waits for a slow disk. */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;

/** Writes {@link CacheNotes} behind the back of those who read, many at a time. What waits can be read already. */
export class NoteQueue {
  readonly #notes: CacheNotes;
  readonly #onError: (error: unknown) => void;
  readonly #pending = new Map<string, CacheNote>();
  #pendingBytes = 0;
  #losses = 0;
  #writing: Promise<void> | undefined;

  /** @param onError - is told why notes were not written */
  constructor(notes: CacheNotes, onError: (error: unknown) => void) {
    this.#notes = notes;
    this.#onError = onError;
  }

  /** How many notes were not kept so far. */
  get losses(): number {
    return this.#losses;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#pending.get(toLatin1(key))?.value ?? (await this.#notes.get(key));
  }

  /** Writes a note soon. Both arrays must stay as they are. */
  put(key: Uint8Array, value: Uint8Array): void {
    const name = toLatin1(key);
    this.#drop(name, this.#pending.get(name));
    if (this.#pendingBytes + value.byteLength > MAX_PENDING_BYTES) {
      this.#losses++;
      return;
    }
    this.#pending.set(name, { key, value });
    this.#pendingBytes += value.byteLength;
    this.#writing ??= this.#write();
  }

  /** Fulfils when all that was put has been written, or is lost. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    // What is put in the same turn goes along.
    await Promise.resolve();
    while (this.#pending.size > 0) {
      const batch = [...this.#pending];
      try {
        await this.#notes.putMany(batch.map(([, note]) => note));
      } catch (error) {
        this.#losses += batch.length;
        this.#onError(error);
      }
      for (const [name, note] of batch) this.#drop(name, note);
    }
    this.#writing = undefined;
  }

  /** Does nothing when another note has taken its place. */
  #drop(name: string, note: CacheNote | undefined): void {
    if (note === undefined || this.#pending.get(name) !== note) return;
    this.#pending.delete(name);
    this.#pendingBytes -= note.value.byteLength;
  }
}
