import {
  B3Digest,
  type BlobReader,
  type BlobService,
  type ChunkMeta,
  DIGEST_LENGTH,
} from "@tvix/castore";
import { seededBytes } from "../primitives/seeded-bytes.js";

/** Bytes that are given out in one piece. */
const PIECE_BYTES = 1024 * 1024;

/** The digest under which a {@link DiscardingBlobService} has a blob of `length` bytes. */
export function digestOfLength(length: number): B3Digest {
  const bytes = new Uint8Array(DIGEST_LENGTH);
  new DataView(bytes.buffer).setFloat64(0, length);
  return B3Digest.fromBytes(bytes);
}

function lengthOfDigest(digest: B3Digest): number {
  const bytes = digest.toBytes();
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
}

/**
 * Has every blob and keeps none: what a store costs is not measured with it. The digest of a blob tells
 * only how long it is; its bytes do not compress and are always the same.
 */
export class DiscardingBlobService implements BlobService {
  readonly #piece = seededBytes("discarded", PIECE_BYTES);

  async has(): Promise<boolean> {
    return true;
  }

  async hasMany(digests: readonly B3Digest[]): Promise<boolean[]> {
    return digests.map(() => true);
  }

  async openRead(digest: B3Digest): Promise<BlobReader> {
    const size = lengthOfDigest(digest);
    return { size, stream: () => this.#repeat(size) };
  }

  async put(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<B3Digest> {
    let length = 0;
    for await (const piece of source) length += piece.byteLength;
    return digestOfLength(length);
  }

  async putMany(blobs: readonly Uint8Array[]): Promise<B3Digest[]> {
    return blobs.map((blob) => digestOfLength(blob.byteLength));
  }

  async chunks(): Promise<readonly ChunkMeta[]> {
    return [];
  }

  async *#repeat(size: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < size; at += PIECE_BYTES) {
      yield this.#piece.subarray(0, size - at);
    }
  }
}
