import { type B3Digest, type BlobPlace, type ChunkMeta, MemoryBlobService } from "@tvix/castore";
import { collectBytes } from "./bytes.js";

/** Fills places at once, and can be made to lie about how large blobs are cut. */
export class FillingBlobService extends MemoryBlobService {
  /** Blobs that are said to be cut in such pieces. */
  readonly cuts: Map<string, readonly ChunkMeta[]> = new Map();
  /** Length of blobs that are left to be read alone. */
  unfilledLength: number = -1;
  filled: number = 0;

  override async chunks(digest: B3Digest): Promise<readonly ChunkMeta[] | undefined> {
    return this.cuts.get(digest.key) ?? super.chunks(digest);
  }

  async fillMany(
    places: readonly BlobPlace[],
    memory: SharedArrayBuffer,
  ): Promise<readonly number[]> {
    const missed: number[] = [];
    for (const [i, { digest, offset, length }] of places.entries()) {
      const reader = await this.openRead(digest);
      if (reader?.size !== length || length === this.unfilledLength) {
        missed.push(i);
        continue;
      }
      const content = await collectBytes(reader.stream(), length);
      new Uint8Array(memory).set(content, offset);
      this.filled += length;
    }
    return missed;
  }
}
