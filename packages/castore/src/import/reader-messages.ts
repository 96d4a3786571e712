import type { ImportErrorReason } from "./import-error.js";
import type { TreeBatch } from "./tree-reader.js";

/** What the reader's thread is started with. */
export interface ReaderThreadData {
  readonly path: string;
  /** The time before reading began, in nanoseconds since 1970. */
  readonly nowNs: bigint;
  /** Batches that may be under way at once. */
  readonly batches: number;
}

/** Memory of a batch comes back. */
export type ToReader = { readonly type: "memory"; readonly memory: Uint8Array };

export type FromReader =
  | { readonly type: "batch"; readonly batch: TreeBatch }
  | { readonly type: "end" }
  | {
      readonly type: "failed";
      readonly message: string;
      /** Absent for errors that are not an `ImportError`. */
      readonly reason: ImportErrorReason | undefined;
      readonly path: string;
      readonly cause: unknown;
    };
