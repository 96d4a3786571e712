/**
 * What is kept of a build log, besides the blob with its text:
 *
 *     size    8 bytes, little endian
 *     digest  of the blob, 32 bytes
 */
import { B3Digest, concatBytes, DIGEST_LENGTH } from "@tvix/castore";
import { StoreError } from "../errors.js";

const SIZE_BYTES = 8;

/** Where the text of a log is. */
export interface BuildLogRecord {
  readonly digest: B3Digest;
  /** Length in bytes. */
  readonly size: number;
}

/** @internal */
export function encodeBuildLogRecord({ digest, size }: BuildLogRecord): Uint8Array {
  const head = new Uint8Array(SIZE_BYTES);
  new DataView(head.buffer).setBigUint64(0, BigInt(size), true);
  return concatBytes([head, digest.toBytes()]);
}

/**
 * @throws {@link StoreError} with code "CORRUPT" for bytes that {@link encodeBuildLogRecord} would not write
 * @internal
 */
export function decodeBuildLogRecord(bytes: Uint8Array): BuildLogRecord {
  const wanted = SIZE_BYTES + DIGEST_LENGTH;
  if (bytes.byteLength !== wanted) {
    const what = `${bytes.byteLength} bytes, not ${wanted}`;
    throw new StoreError("CORRUPT", `Cannot read where a build log is: ${what}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = Number(view.getBigUint64(0, true));
  if (!Number.isSafeInteger(size)) {
    throw new StoreError("CORRUPT", `Cannot read where a build log is: its size is ${size}`);
  }
  return { digest: B3Digest.fromBytes(bytes.subarray(SIZE_BYTES)), size };
}
