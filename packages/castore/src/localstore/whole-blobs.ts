import type { PutManyOptions } from "../blobservice/blob-service.js";
import { splitBytes } from "../bytes.js";
import { chunkSizes, cutChunks } from "../chunking/fastcdc.js";
import type { B3Digest } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import { encodeChunkList } from "./chunk-list.js";
import { RecordKind } from "./pack-format.js";
import type { StoreWrites } from "./store-writes.js";

const SIZES = chunkSizes();

/** Longest blob that is cut where it lies. Cutting takes a copy of it, in memory that stays. */
export const MAX_WHOLE_BYTES: number = 2 * 1024 * 1024;

/**
 * Stores blobs that lie in memory whole, none above {@link MAX_WHOLE_BYTES}: all of their chunks together, and
 * then the lists of those that have several. They must stay as they are until the promise settles.
 *
 * @returns the digest of each, once all are stored
 */
export async function putWholeBlobs(
  writes: StoreWrites,
  blobs: readonly Uint8Array[],
  options: PutManyOptions,
): Promise<B3Digest[]> {
  const lengths = blobs.map(chunkLengths);
  const chunks = blobs.flatMap((blob, i) => splitBytes(blob, lengths[i] as readonly number[]));
  const digests = await writes.store(RecordKind.CHUNK, chunks, options);
  if (chunks.length === blobs.length) return digests;
  const { signal } = options;
  signal?.throwIfAborted();
  let next = 0;
  return await Promise.all(
    blobs.map((blob, i) => {
      const sizes = lengths[i] as readonly number[];
      next += sizes.length;
      const first = next - sizes.length;
      if (sizes.length === 1) return digests[first] as B3Digest;
      const list = sizes.map((size, n) => ({ digest: digests[first + n] as B3Digest, size }));
      return storeList(writes, blake3(blob), encodeChunkList(list), signal);
    }),
  );
}

async function storeList(
  writes: StoreWrites,
  digest: B3Digest,
  list: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<B3Digest> {
  await writes.storeKeyed(RecordKind.CHUNK_LIST, digest.toBytes(), list, signal);
  return digest;
}

function chunkLengths(blob: Uint8Array): readonly number[] {
  return blob.byteLength <= SIZES.min ? [blob.byteLength] : cutChunks(blob, SIZES, true);
}
