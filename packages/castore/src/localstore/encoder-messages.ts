import type { RecordKind } from "./pack-format.js";
import type { WireError } from "./worker-error.js";

/** What an encoder's thread is started with. */
export interface EncoderThreadData {
  readonly indexFile: string;
  readonly compression: boolean;
}

/** Payloads to make records of. */
export interface PayloadsRequest {
  readonly type: "payloads";
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

/** The next bytes of a blob that is cut into chunks. Those of one blob come in order, to one thread. */
export interface PieceRequest {
  readonly type: "piece";
  readonly blob: number;
  /** Shared, as in {@link PayloadsRequest}; {@link MAX_PIECE_BYTES} at most. */
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
  readonly output: Uint8Array;
}

/** Nothing more comes of a blob whose last piece has not come. There is no answer. */
export interface AbandonRequest {
  readonly type: "abandon";
  readonly blob: number;
}

export type EncodeRequest = PayloadsRequest | PieceRequest | AbandonRequest;

/** Answers come in the order of the requests. */
export type EncodeReply =
  | {
      readonly type: "encoded";
      /** 32 bytes for each payload, or for each chunk that is certain by now. */
      readonly digests: Uint8Array;
      /** Of the chunks; empty for payloads. */
      readonly lengths: readonly number[];
      /** 32 bytes, for the last piece of a blob. */
      readonly whole: Uint8Array | undefined;
      /** Bytes in `output`: whole records of what the index did not have. */
      readonly recordBytes: number;
      readonly known: { readonly records: number; readonly rawBytes: number };
    }
  | { readonly type: "failed"; readonly error: WireError };
