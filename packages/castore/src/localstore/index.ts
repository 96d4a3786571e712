/**
 * The embedded local store: packs and an index in one directory.
 *
 * @module
 */
export type { CheckFinding, CheckOptions, CheckProgress } from "./check.js";
export {
  LocalStore,
  type LocalStoreOptions,
  type LocalStoreStats,
  type StagedWrites,
} from "./local-store.js";
export type { RecordCount } from "./pack-writer.js";
export type { RecoveryEvent } from "./reconcile.js";
export type {
  DerivedCache,
  KeyedRecord,
  NamedValues,
  RecordStore,
  ValueChange,
} from "./record-store.js";
export type { StoreCounters } from "./store-core.js";
export type { RecoveryReport } from "./write-session.js";
export type { LockHolder } from "./writer-lock.js";
