import type { B3Digest } from "../digest.js";
import type { BlobService, OpenBlob, OpenManyOptions } from "./blob-service.js";

/**
 * Opens many blobs at once, in the order of `digests`: in one call where the service has one for that,
 * else each on its own and all at a time, so `digests` should be few.
 *
 * @returns `undefined` in the place of a blob that is not stored
 */
export async function openBlobs(
  service: BlobService,
  digests: readonly B3Digest[],
  options: OpenManyOptions,
): Promise<(OpenBlob | undefined)[]> {
  if (service.openMany !== undefined) return service.openMany(digests, options);
  return Promise.all(digests.map((digest) => service.openRead(digest, options)));
}
