import { DIGEST_LENGTH } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import type { ZstdCodec } from "./compression.js";
import type { RecordKind } from "./pack-format.js";
import { writeRecord } from "./record.js";

/** What the index has. */
interface KnownRecords {
  has(kind: RecordKind, key: Uint8Array): boolean;
}

/** How records are made. */
export interface RecordEncoderOptions {
  readonly index: KnownRecords;
  /** Compresses; raw without. */
  readonly zstd: ZstdCodec | undefined;
}

/** Payloads for {@link RecordEncoder.encode}. */
export interface EncodedPayloads {
  /** A kind whose key is the digest of its payload. */
  readonly kind: RecordKind;
  readonly payloads: readonly Uint8Array[];
  /** Whether the index need not be asked. */
  readonly areMissing: boolean;
  /** Has room for the records of all. */
  readonly output: Uint8Array;
}

/** Digests payloads, asks the index what is there already, and makes records of the rest. */
export class RecordEncoder {
  readonly #options: RecordEncoderOptions;

  constructor(options: RecordEncoderOptions) {
    this.#options = options;
  }

  encode({ kind, payloads, areMissing, output }: EncodedPayloads): {
    readonly digests: Uint8Array;
    readonly recordBytes: number;
    readonly known: { readonly records: number; readonly rawBytes: number };
  } {
    const { index, zstd } = this.#options;
    const digests = new Uint8Array(payloads.length * DIGEST_LENGTH);
    const known = { records: 0, rawBytes: 0 };
    let end = 0;
    payloads.forEach((raw, i) => {
      const key = digests.subarray(i * DIGEST_LENGTH, (i + 1) * DIGEST_LENGTH);
      blake3(raw).writeTo(key, 0);
      if (!areMissing && index.has(kind, key)) {
        known.records += 1;
        known.rawBytes += raw.byteLength;
      } else {
        end = writeRecord(output, end, { kind, key, raw }, zstd);
      }
    });
    return { digests, recordBytes: end, known };
  }
}
