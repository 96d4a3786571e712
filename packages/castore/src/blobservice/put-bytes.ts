import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import type { BlobService, CallOptions } from "./blob-service.js";

/**
 * Stores `bytes` as one blob and returns its digest. The array must stay as it is until the promise
 * settles.
 */
export async function putBytes(
  service: BlobService,
  bytes: Uint8Array,
  options: CallOptions = {},
): Promise<B3Digest> {
  const [digest] = await service.putMany([bytes], options);
  if (digest === undefined)
    throw new CastoreError("STORAGE", "Cannot store a blob: no digest came");
  return digest;
}
