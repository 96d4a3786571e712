import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import type { BlobService, CallOptions } from "./blob-service.js";

export interface ReadBlobOptions extends CallOptions {
  /** Most bytes to hold in memory. */
  readonly maxBytes: number;
}

/**
 * Reads a whole blob into memory.
 *
 * @returns `undefined` when the blob is not stored
 * @throws {@link CastoreError} "INVALID_ARGUMENT" when it is longer than `maxBytes`, before anything
 *   is read; "CORRUPT" when it has another length than the service says
 */
export async function readBlob(
  service: Pick<BlobService, "openRead">,
  digest: B3Digest,
  { maxBytes, ...options }: ReadBlobOptions,
): Promise<Uint8Array | undefined> {
  const reader = await service.openRead(digest, options);
  if (reader === undefined) return undefined;
  if (reader.size > maxBytes) {
    throw new CastoreError(
      "INVALID_ARGUMENT",
      `Cannot read blob ${digest} at once: ${reader.size} bytes, more than ${maxBytes}`,
    );
  }
  const bytes = new Uint8Array(reader.size);
  let length = 0;
  for await (const chunk of reader.stream({}, options)) {
    if (length + chunk.byteLength > bytes.byteLength) throw wrongLength(digest, reader.size);
    bytes.set(chunk, length);
    length += chunk.byteLength;
  }
  if (length !== bytes.byteLength) throw wrongLength(digest, reader.size);
  return bytes;
}

function wrongLength(digest: B3Digest, size: number): CastoreError {
  return new CastoreError("CORRUPT", `Cannot read blob ${digest}: it is not ${size} bytes long`);
}
