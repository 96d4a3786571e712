/**
 * What is kept of a compressed NAR, besides the blob with its bytes:
 *
 *     size         8 bytes, little endian
 *     digest       of the blob, 32 bytes
 *     compression  its name in a narinfo, ASCII
 */
import { B3Digest, concatBytes, DIGEST_LENGTH, toLatin1, toUtf8 } from "@tvix/castore";
import { FILE_COMPRESSIONS } from "../compression/compress-file.js";
import type { FileCompression } from "../compression/encoder.js";
import { StoreError } from "../errors.js";

/** A file with a compressed NAR. */
export interface KeptNar {
  readonly compression: FileCompression;
  /** Of the file: 32 bytes. */
  readonly fileSha256: Uint8Array;
  /** In bytes. */
  readonly fileSize: number;
  readonly blob: B3Digest;
}

const SIZE_BYTES = 8;

/** All of it but the hash, which is the name of it. */
export function encodeKeptNar({ compression, fileSize, blob }: KeptNar): Uint8Array {
  const head = new Uint8Array(SIZE_BYTES);
  new DataView(head.buffer).setBigUint64(0, BigInt(fileSize), true);
  return concatBytes([head, blob.toBytes(), toUtf8(compression)]);
}

/** @throws {@link StoreError} with code "CORRUPT" for bytes that {@link encodeKeptNar} would not write */
export function decodeKeptNar(bytes: Uint8Array, fileSha256: Uint8Array): KeptNar {
  const end = SIZE_BYTES + DIGEST_LENGTH;
  const name = toLatin1(bytes.subarray(end));
  const compression = FILE_COMPRESSIONS.find((known) => known === name);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fileSize = bytes.byteLength < end ? Number.NaN : Number(view.getBigUint64(0, true));
  if (compression === undefined || !Number.isSafeInteger(fileSize)) {
    const what = `${bytes.byteLength} bytes that do not say it`;
    throw new StoreError("CORRUPT", `Cannot read where a compressed NAR is: ${what}`);
  }
  const blob = B3Digest.fromBytes(bytes.subarray(SIZE_BYTES, end));
  return { compression, fileSha256, fileSize, blob };
}
