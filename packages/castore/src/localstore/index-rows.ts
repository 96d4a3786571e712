// What the index says, as plain values. Apart from the database, so that the declarations of the
// package's entries name no type of the database's library.
import type { RecordCodec, RecordKind } from "./pack-format.js";

/** Where in a pack a record is. */
export interface RecordPlace {
  /** Of the record's header. */
  readonly offset: number;
  /** Length of the payload in the pack. */
  readonly stored: number;
}

/** Where a record is. */
export interface RecordLocation extends RecordPlace {
  readonly pack: number;
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
  /** 16 bytes; `undefined` when no record was ever found in it. */
  readonly identity: Uint8Array | undefined;
}

/** Count and bytes of the records of one kind. */
export interface KindTotals {
  readonly kind: RecordKind;
  readonly records: number;
  readonly raw: number;
  readonly stored: number;
}
