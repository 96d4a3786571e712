import type { BlobService, CallOptions, ChunkMeta } from "../blobservice/blob-service.js";
import { joinChunks, verifyChunks } from "../blobservice/chunked-blob-upload.js";
import type { B3Digest } from "../digest.js";
import { encodeChunkList } from "./chunk-list.js";
import { RecordKind } from "./pack-format.js";
import type { StoreCore } from "./store-core.js";

/**
 * Makes a blob of chunks that are stored, see `ChunkedBlobUpload`: after all of them were read and
 * compared, their list is all that is written. Chunks that are stored as lists themselves cannot be in a
 * list; a blob of such is written anew.
 *
 * @internal
 */
export async function putChunkList(
  core: StoreCore,
  blobs: BlobService,
  digest: B3Digest,
  chunks: readonly ChunkMeta[],
  options: CallOptions,
): Promise<void> {
  const areRecords = chunks.every((chunk) => core.has(RecordKind.CHUNK, chunk.digest.toBytes()));
  if (chunks.length < 2 || !areRecords) {
    await blobs.put(joinChunks(blobs, digest, chunks, options), options);
    return;
  }
  await verifyChunks(blobs, digest, chunks, options);
  options.signal?.throwIfAborted();
  const list = encodeChunkList(chunks);
  await core.storeKeyed(RecordKind.CHUNK_LIST, digest.toBytes(), list, options.signal);
}
