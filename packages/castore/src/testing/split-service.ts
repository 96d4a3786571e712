import type { BlobService } from "../blobservice/blob-service.js";

/** Reads through one service, writes to the other. */
export function splitService(reading: BlobService, writing: BlobService): BlobService {
  const { tree } = reading;
  return {
    ...(tree && { tree: tree.bind(reading) }),
    has: (digest, options) => reading.has(digest, options),
    hasMany: (digests, options) => reading.hasMany(digests, options),
    openRead: (digest, options) => reading.openRead(digest, options),
    chunks: (digest, options) => reading.chunks(digest, options),
    put: (source, options) => writing.put(source, options),
    putMany: (blobs, options) => writing.putMany(blobs, options),
  };
}
