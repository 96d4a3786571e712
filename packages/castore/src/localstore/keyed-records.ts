import type { CallOptions } from "../blobservice/blob-service.js";
import { copyBytes, plainBytes } from "../bytes.js";
import type { IndexedRecord } from "./index-rows.js";
import { RECORD_KEY_LENGTH, type RecordKind } from "./pack-format.js";
import { paddedKey } from "./record.js";
import type { DerivedCache, KeyedRecord, RecordStore, ValueChange } from "./record-store.js";
import type { StoreCore } from "./store-core.js";
import { updateRecord } from "./update-record.js";

/** How many records `list` takes from the index at once: the first time, and afterwards. */
const FIRST_PAGE_RECORDS = 256;
const PAGE_RECORDS = 4096;

/** Most bytes of values that `list` reads before it hands them out; the last one may go beyond. */
const GROUP_BYTES = 4 * 1024 * 1024;

/** The records of one kind as a {@link RecordStore}; all keys have the same length. */
export class KeyedRecords implements RecordStore {
  readonly #core: StoreCore;
  readonly #kind: RecordKind;
  readonly #keyLength: number;

  constructor(core: StoreCore, kind: RecordKind, keyLength: number) {
    this.#core = core;
    this.#kind = kind;
    this.#keyLength = keyLength;
  }

  async get(key: Uint8Array, options: CallOptions = {}): Promise<Uint8Array | undefined> {
    options.signal?.throwIfAborted();
    this.#checkKey(key);
    return this.#core.read(this.#kind, key);
  }

  /** Its place: what was written stays as it is, and a later value is written elsewhere. */
  version(key: Uint8Array): string | undefined {
    this.#checkKey(key);
    const location = this.#core.index()?.find(this.#kind, paddedKey(key));
    return location && `${location.pack}:${location.offset}`;
  }

  generation(): number | undefined {
    return this.#core.generation;
  }

  async put(key: Uint8Array, value: Uint8Array, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    this.#checkKey(key);
    await this.#core.storeKeyed(this.#kind, key, value, options.signal);
  }

  async update(key: Uint8Array, change: ValueChange, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    this.#checkKey(key);
    await updateRecord(this.#core, this.#kind, { key, change, signal: options.signal });
  }

  async *list(options: CallOptions = {}): AsyncGenerator<KeyedRecord, void, undefined> {
    // Page by page: an open statement would hold the index in an old state for as long as the
    // consumer takes.
    let after: Uint8Array = new Uint8Array(0);
    for (let limit = FIRST_PAGE_RECORDS; ; limit = PAGE_RECORDS) {
      options.signal?.throwIfAborted();
      const page = this.#core.index()?.recordsAfter(this.#kind, after, limit) ?? [];
      for (let begin = 0; begin < page.length; ) {
        const group = groupFrom(page, begin);
        begin += group.length;
        for (const { key, value, failure } of await this.#readGroup(group)) {
          if (value === undefined) throw failure;
          yield { key: key.subarray(0, this.#keyLength), value };
          after = key;
        }
      }
      if (page.length < limit) return;
    }
  }

  /**
   * Reads records as they lie in packs, where neighbours are read together: by their keys, which are hashes, they are
   * in no order there.
   *
   * @returns them in the order of `group`
   */
  async #readGroup(group: readonly IndexedRecord[]): Promise<readonly ReadRecord[]> {
    const places = group.map((record, i) => ({ record, i }));
    places.sort(({ record: a }, { record: b }) => a.pack - b.pack || a.offset - b.offset);
    const all: ReadRecord[] = new Array(group.length);
    for (const { record, i } of places) all[i] = await this.#readOne(record);
    return all;
  }

  async #readOne(record: IndexedRecord): Promise<ReadRecord> {
    const key = copyBytes(record.key);
    try {
      return { key, value: await this.#core.records.read(this.#kind, key, record) };
    } catch (failure) {
      return { key, value: undefined, failure };
    }
  }

  #checkKey(key: Uint8Array): void {
    if (key.byteLength !== this.#keyLength || key.byteLength > RECORD_KEY_LENGTH) {
      throw new RangeError(
        `Invalid record key: ${key.byteLength} bytes, expected ${this.#keyLength}`,
      );
    }
  }
}

/** A record, or why it could not be read: that is told where its turn has come. */
interface ReadRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly failure?: unknown;
}

/** The records of a page from `begin` on that are read together, one at least. */
function groupFrom(page: readonly IndexedRecord[], begin: number): readonly IndexedRecord[] {
  let end = begin;
  for (let bytes = 0; bytes < GROUP_BYTES; end++) {
    const record = page[end];
    if (record === undefined) break;
    bytes += record.raw;
  }
  return page.slice(begin, end);
}

/** Values that are kept in the index only. */
export class IndexDerivedCache implements DerivedCache {
  readonly #core: StoreCore;
  readonly #space: string;

  constructor(core: StoreCore, space: string) {
    this.#core = core;
    this.#space = space;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const value = this.#core.index()?.derived(this.#space, key);
    return value && plainBytes(value);
  }

  async put(key: Uint8Array, value: Uint8Array): Promise<void> {
    await this.putMany([{ key, value }]);
  }

  async putMany(entries: readonly KeyedRecord[]): Promise<void> {
    await this.#core.storeDerived(
      entries.map(({ key, value }) => ({ space: this.#space, key, value })),
    );
  }
}
