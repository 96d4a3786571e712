import type { CallOptions } from "../blobservice/blob-service.js";

/** One value of a {@link RecordStore} and the key it is found under. */
export interface KeyedRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * Makes a value of the one that is there. Is given `undefined` where there is none, or a damaged one; returns
 * `undefined` to leave it as it is.
 */
export type ValueChange = (known: Uint8Array | undefined) => Uint8Array | undefined;

/**
 * Small values under keys of at most 32 bytes, kept in the packs like blobs are: durable once `put`
 * has fulfilled, found again when the index is rebuilt. A later value replaces an earlier one.
 */
export interface RecordStore {
  /** The value; `undefined` when there is none. */
  get(key: Uint8Array, options?: CallOptions): Promise<Uint8Array | undefined>;
  /**
   * What stands for the value at this moment, and never for another one: who has read the value after asking
   * for this need not read it again as long as it is the same. `undefined` when there is no value.
   */
  version?(key: Uint8Array): string | undefined;
  /**
   * Grows with every change of any value that was acknowledged, and with other writes. `undefined` unless
   * nobody but this process can write: then every {@link version} is still what it was when this was the same.
   */
  generation?(): number | undefined;
  put(key: Uint8Array, value: Uint8Array, options?: CallOptions): Promise<void>;
  /**
   * Puts what `change` makes of the value that is there in its place. No other update of that key comes in
   * between, of this process or another one.
   */
  update(key: Uint8Array, change: ValueChange, options?: CallOptions): Promise<void>;
  /** All of them, in byte order of the keys. */
  list(options?: CallOptions): AsyncIterable<KeyedRecord>;
}

/**
 * Values under names, in a space of their own. Kept like those of a {@link RecordStore}: durable once
 * `put` has fulfilled, found again when the index is rebuilt; a later value replaces an earlier one.
 */
export interface NamedValues {
  /** The value; `undefined` when there is none. */
  get(name: string, options?: CallOptions): Promise<Uint8Array | undefined>;
  /** @throws RangeError for a name of more than 65,535 bytes */
  put(name: string, value: Uint8Array, options?: CallOptions): Promise<void>;
  /** Like `RecordStore.update`. */
  update(name: string, change: ValueChange, options?: CallOptions): Promise<void>;
}

/**
 * Values that can be computed again from the store at any time, kept in the index only: losing them
 * costs time, never data.
 */
export interface DerivedCache {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  put(key: Uint8Array, value: Uint8Array): Promise<void>;
  /** {@link put} for many at once. */
  putMany(entries: readonly KeyedRecord[]): Promise<void>;
}
