import { type CallOptions, compareBytes, copyBytes } from "@tvix/castore";
import type { KeyedRecord, RecordStore, ValueChange } from "@tvix/castore/local";

/** Keeps records in memory; for tests of what is built on a {@link RecordStore}. */
export class MemoryRecordStore implements RecordStore {
  readonly #records = new Map<string, KeyedRecord>();

  async get(key: Uint8Array, options: CallOptions = {}): Promise<Uint8Array | undefined> {
    options.signal?.throwIfAborted();
    const record = this.#records.get(key.join());
    return record && copyBytes(record.value);
  }

  async put(key: Uint8Array, value: Uint8Array, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    this.#records.set(key.join(), { key: copyBytes(key), value: copyBytes(value) });
  }

  async update(key: Uint8Array, change: ValueChange, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const record = this.#records.get(key.join());
    const value = change(record && copyBytes(record.value));
    if (value !== undefined) await this.put(key, value);
  }

  async *list(options: CallOptions = {}): AsyncGenerator<KeyedRecord, void, undefined> {
    options.signal?.throwIfAborted();
    const records = [...this.#records.values()];
    yield* records.sort((a, b) => compareBytes(a.key, b.key));
  }
}
