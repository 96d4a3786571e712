import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { createBlake3 } from "../hasher/blake3.js";
import type { BlobService, CallOptions, ChunkMeta } from "./blob-service.js";

/** A chunk of a blob on its way into a service: one that is stored there already, or its bytes. */
export type BlobChunk = ChunkMeta | Uint8Array;

/**
 * All chunks of a blob, in runs of consecutive ones, and in the end the digest that they must have
 * together. Bytes stay as they are until the next run is asked for. Whoever made it closes it.
 */
export type BlobChunks = AsyncIterator<readonly BlobChunk[], B3Digest, undefined>;

/** What a {@link BlobService} may be able to do: take a blob of which it has some chunks. */
export interface ChunkedBlobUpload {
  /**
   * Stores a blob that comes in chunks. Those that are stored are read and compared with their digests
   * and sizes, and all together with the digest of the blob, before it is visible as a blob. Those that come as bytes are stored as
   * well: chunks that follow, of this blob or another, can refer to them.
   *
   * @throws {@link CastoreError} "MISSING_REFERENCE" when a chunk is not stored, "INVALID_ARGUMENT" when
   *   one has another size or they do not make up the blob
   */
  putChunked(chunks: BlobChunks, options?: CallOptions): Promise<void>;
}

/** Whether `service` implements {@link ChunkedBlobUpload}. */
export function canPutChunked(service: BlobService): service is BlobService & ChunkedBlobUpload {
  return "putChunked" in service && typeof service.putChunked === "function";
}

/**
 * The bytes of a blob that comes in chunks. Those that are stored are looked up with `service`, the others
 * are put there.
 *
 * @throws {@link CastoreError} as {@link ChunkedBlobUpload} says, before the end
 */
export async function* joinChunks(
  service: Pick<BlobService, "openRead" | "put">,
  chunks: BlobChunks,
  options: CallOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createBlake3();
  try {
    for (let next = await chunks.next(); ; next = await chunks.next()) {
      if (next.done === true) {
        checkWhole(next.value, hash.digest());
        return;
      }
      for (const chunk of next.value) {
        const isSent = chunk instanceof Uint8Array;
        if (isSent) await service.put([chunk], options);
        const pieces = isSent ? [chunk] : readStored(service, chunk, options);
        for await (const piece of pieces) {
          hash.update(piece);
          yield piece;
        }
      }
    }
  } finally {
    hash.dispose();
  }
}

/**
 * The bytes of a chunk that is stored.
 *
 * @throws {@link CastoreError} as {@link ChunkedBlobUpload} says, before the first
 */
export async function* readStored(
  service: Pick<BlobService, "openRead">,
  { digest, size }: ChunkMeta,
  options: CallOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = await service.openRead(digest, options);
  if (reader === undefined) {
    throw new CastoreError(
      "MISSING_REFERENCE",
      `Cannot store a blob: its chunk ${digest} is not stored`,
    );
  }
  if (reader.size !== size) {
    throw new CastoreError(
      "INVALID_ARGUMENT",
      `Cannot store a blob: its chunk ${digest} has ${reader.size} bytes instead of ${size}`,
    );
  }
  yield* reader.stream({}, options);
}

/** @throws {@link CastoreError} "INVALID_ARGUMENT" when the chunks make up another blob than they should */
export function checkWhole(expected: B3Digest, actual: B3Digest): void {
  if (actual.equals(expected)) return;
  throw new CastoreError(
    "INVALID_ARGUMENT",
    `Cannot store blob ${expected}: its chunks make up ${actual}`,
  );
}
