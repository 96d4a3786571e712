import type { RecordKind } from "./pack-format.js";
import type { WireError } from "./worker-error.js";

/** What an encoder's thread is started with. */
export interface EncoderThreadData {
  readonly indexFile: string;
  readonly compression: boolean;
}

/** Payloads to make records of. */
export interface EncodeRequest {
  /** A kind whose key is the digest of its payload. */
  readonly kind: RecordKind;
  /** Whether the index need not be asked for them: the writer does in any case. */
  readonly areMissing: boolean;
  /** Shared: it is neither copied nor handed over, and must stay as it is until the answer. */
  readonly memory: SharedArrayBuffer;
  /** Where each payload starts in `memory`. */
  readonly offsets: readonly number[];
  /** How long each payload is. */
  readonly lengths: readonly number[];
  /** Where the records go: shared, with room for all of them. */
  readonly output: Uint8Array;
}

/** Answers come in the order of the requests. */
export type EncodeReply =
  | {
      readonly type: "encoded";
      /** 32 bytes for each payload. */
      readonly digests: Uint8Array;
      /** Bytes in `output`: whole records of those payloads that the index did not have. */
      readonly recordBytes: number;
      readonly known: { readonly records: number; readonly rawBytes: number };
    }
  | { readonly type: "failed"; readonly error: WireError };
