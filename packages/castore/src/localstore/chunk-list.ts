// The payload of a chunk list record: for each chunk, in order, digest[32] and size:u32, little-endian.
import type { ChunkMeta } from "../blobservice/blob-service.js";
import { B3Digest, DIGEST_LENGTH } from "../digest.js";
import { CastoreError } from "../errors.js";

const ENTRY_LENGTH = DIGEST_LENGTH + 4;

export function encodeChunkList(chunks: readonly ChunkMeta[]): Uint8Array {
  const bytes = new Uint8Array(chunks.length * ENTRY_LENGTH);
  const view = new DataView(bytes.buffer);
  chunks.forEach((chunk, i) => {
    chunk.digest.writeTo(bytes, i * ENTRY_LENGTH);
    view.setUint32(i * ENTRY_LENGTH + DIGEST_LENGTH, chunk.size, true);
  });
  return bytes;
}

/** @throws {@link CastoreError} "CORRUPT" */
export function decodeChunkList(bytes: Uint8Array): ChunkMeta[] {
  if (bytes.byteLength === 0 || bytes.byteLength % ENTRY_LENGTH !== 0) {
    throw new CastoreError("CORRUPT", `Cannot read a chunk list of ${bytes.byteLength} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.byteLength / ENTRY_LENGTH }, (_, i) => {
    const at = i * ENTRY_LENGTH;
    return {
      digest: B3Digest.fromBytes(bytes.subarray(at, at + DIGEST_LENGTH)),
      size: view.getUint32(at + DIGEST_LENGTH, true),
    };
  });
}
