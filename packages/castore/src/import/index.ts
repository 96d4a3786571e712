/**
 * Import of file trees from the local file system.
 *
 * @module
 */
export { ImportError, type ImportErrorReason } from "./import-error.js";
export type {
  IngestOptions,
  IngestProgress,
  IngestResult,
  IngestServices,
  StatCache,
} from "./ingest.js";
export { ingestPath } from "./ingest-path.js";
export type { TreeObserver } from "./tree-observer.js";
