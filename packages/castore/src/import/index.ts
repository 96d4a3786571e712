/**
 * Import of file trees from the local file system, and export to it.
 *
 * @module
 */
export { ExportError, type ExportErrorReason } from "../export/export-error.js";
export {
  type ExportProgress,
  type ExportServices,
  type ExportTreeOptions,
  exportTree,
} from "../export/export-tree.js";
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
