import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { createBlake3 } from "../hasher/blake3.js";
import type { BlobService, CallOptions, ChunkMeta } from "./blob-service.js";

/** What a {@link BlobService} may be able to do: make a blob of chunks that it has. */
export interface ChunkedBlobUpload {
  /**
   * Stores the blob `digest`, which is made up of `chunks` in this order. All of them are read and
   * compared with their digests, their sizes and the digest of the blob before anything is written.
   *
   * @throws {@link CastoreError} "MISSING_REFERENCE" when a chunk is not stored, "INVALID_ARGUMENT" when
   *   one has another size or they do not make up the blob
   */
  putChunked(digest: B3Digest, chunks: readonly ChunkMeta[], options?: CallOptions): Promise<void>;
}

/** Whether `service` implements {@link ChunkedBlobUpload}. */
export function canPutChunked(service: BlobService): service is BlobService & ChunkedBlobUpload {
  return "putChunked" in service && typeof service.putChunked === "function";
}

/**
 * The bytes that `chunks` make up, each looked up with `service`.
 *
 * @throws {@link CastoreError} as {@link ChunkedBlobUpload} says, before the end
 */
export async function* joinChunks(
  service: Pick<BlobService, "openRead">,
  digest: B3Digest,
  chunks: readonly ChunkMeta[],
  options: CallOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createBlake3();
  try {
    for (const chunk of chunks) {
      const reader = await service.openRead(chunk.digest, options);
      if (reader === undefined) {
        throw new CastoreError(
          "MISSING_REFERENCE",
          `Cannot make blob ${digest}: its chunk ${chunk.digest} is not stored`,
        );
      }
      if (reader.size !== chunk.size) {
        throw new CastoreError(
          "INVALID_ARGUMENT",
          `Cannot make blob ${digest}: its chunk ${chunk.digest} has ${reader.size} bytes instead of ${chunk.size}`,
        );
      }
      for await (const piece of reader.stream({}, options)) {
        hash.update(piece);
        yield piece;
      }
    }
    const actual = hash.digest();
    if (actual.equals(digest)) return;
    throw new CastoreError(
      "INVALID_ARGUMENT",
      `Cannot make blob ${digest}: its chunks make up ${actual}`,
    );
  } finally {
    hash.dispose();
  }
}

/**
 * Reads all of `chunks` and checks that they make up the blob `digest`.
 *
 * @throws {@link CastoreError} as {@link ChunkedBlobUpload} says
 */
export async function verifyChunks(
  service: Pick<BlobService, "openRead">,
  digest: B3Digest,
  chunks: readonly ChunkMeta[],
  options: CallOptions = {},
): Promise<void> {
  for await (const _ of joinChunks(service, digest, chunks, options));
}
