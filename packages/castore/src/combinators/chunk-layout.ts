// Notes of a cache about a blob of far. The list: a version byte, then for each chunk, in order, digest[32] and
// size:u32, little-endian. The marks: one bit for each chunk, the first in the lowest bit of the first byte.
import type { ChunkMeta } from "../blobservice/blob-service.js";
import { B3Digest, DIGEST_LENGTH } from "../digest.js";
import { CastoreError } from "../errors.js";

const VERSION = 1;
const ENTRY_LENGTH = DIGEST_LENGTH + 4;

/** Most chunks of a list that is used: 256 GiB in chunks of the usual size, and 45 MB in memory. */
const MAX_CHUNKS = 1_000_000;

/** Longest chunk that is fetched as a whole. Servers may have longer ones; their lists are of no use. */
const MAX_CHUNK_BYTES = 8 * 1024 * 1024;

/**
 * How a blob is cut, compactly, and of which chunks it is known that they are where the list says.
 *
 * A list that somebody else has made proves nothing: it may name any chunk in any place. A place is marked when its
 * bytes were read as a range of the blob itself, and were those of the chunk.
 */
export class ChunkLayout {
  /** Where each chunk starts, and at the end where the last one ends. */
  readonly #starts: Float64Array;
  readonly #digests: Uint8Array;
  readonly #marks: Uint8Array;
  #markCount = 0;

  private constructor(starts: Float64Array, digests: Uint8Array, marks: Uint8Array) {
    this.#starts = starts;
    this.#digests = digests;
    this.#marks = marks;
    for (let i = 0; i < this.count; i++) if (this.isMarked(i)) this.#markCount++;
  }

  /**
   * The layout of a blob of `size` bytes by a list that somebody else has made.
   *
   * @returns `undefined` for a list that is of no use: empty, or with chunks too long or too many
   * @throws {@link CastoreError} "CORRUPT" when it cannot be the list of that blob
   */
  static fromChunks(
    digest: B3Digest,
    size: number,
    chunks: readonly ChunkMeta[],
  ): ChunkLayout | undefined {
    if (chunks.length === 0 || chunks.length > MAX_CHUNKS) return undefined;
    const starts = new Float64Array(chunks.length + 1);
    const digests = new Uint8Array(chunks.length * DIGEST_LENGTH);
    for (const [i, chunk] of chunks.entries()) {
      if (!Number.isSafeInteger(chunk.size) || chunk.size <= 0) {
        throw wrongList(digest, `it has a chunk of ${chunk.size} bytes`);
      }
      chunk.digest.writeTo(digests, i * DIGEST_LENGTH);
      starts[i + 1] = (starts[i] as number) + chunk.size;
    }
    const end = starts[chunks.length] as number;
    if (end !== size) throw wrongList(digest, `it is of ${end} bytes, the blob has ${size}`);
    if (chunks.some((chunk) => chunk.size > MAX_CHUNK_BYTES)) return undefined;
    return new ChunkLayout(starts, digests, new Uint8Array(Math.ceil(chunks.length / 8)));
  }

  /** What {@link encodeList} and {@link marks} have made; `undefined` when that is not what it is. */
  static decode(list: Uint8Array, marks: Uint8Array | undefined): ChunkLayout | undefined {
    const count = (list.byteLength - 1) / ENTRY_LENGTH;
    if (list[0] !== VERSION || !Number.isInteger(count) || count === 0) return undefined;
    const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
    const starts = new Float64Array(count + 1);
    const digests = new Uint8Array(count * DIGEST_LENGTH);
    for (let i = 0; i < count; i++) {
      const at = 1 + i * ENTRY_LENGTH;
      digests.set(list.subarray(at, at + DIGEST_LENGTH), i * DIGEST_LENGTH);
      starts[i + 1] = (starts[i] as number) + view.getUint32(at + DIGEST_LENGTH, true);
    }
    const own = new Uint8Array(Math.ceil(count / 8));
    if (marks?.byteLength === own.byteLength) own.set(marks);
    return new ChunkLayout(starts, digests, own);
  }

  encodeList(): Uint8Array {
    const list = new Uint8Array(1 + this.count * ENTRY_LENGTH);
    const view = new DataView(list.buffer);
    list[0] = VERSION;
    for (let i = 0; i < this.count; i++) {
      const at = 1 + i * ENTRY_LENGTH;
      const digest = i * DIGEST_LENGTH;
      list.set(this.#digests.subarray(digest, digest + DIGEST_LENGTH), at);
      view.setUint32(at + DIGEST_LENGTH, this.lengthOf(i), true);
    }
    return list;
  }

  /** A copy of the marks. */
  get marks(): Uint8Array {
    return Uint8Array.from(this.#marks);
  }

  /** How many chunks there are. */
  get count(): number {
    return this.#starts.length - 1;
  }

  /** Length of the blob in bytes. */
  get size(): number {
    return this.startOf(this.count);
  }

  /** How much memory it takes, in bytes. */
  get weight(): number {
    return this.#starts.byteLength + this.#digests.byteLength + this.#marks.byteLength;
  }

  /** Whether all places are marked. */
  get isProved(): boolean {
    return this.#markCount === this.count;
  }

  startOf(i: number): number {
    return this.#starts[i] as number;
  }

  lengthOf(i: number): number {
    return this.startOf(i + 1) - this.startOf(i);
  }

  digestOf(i: number): B3Digest {
    return B3Digest.fromRange(this.#digests, i * DIGEST_LENGTH, (i + 1) * DIGEST_LENGTH);
  }

  isMarked(i: number): boolean {
    return (((this.#marks[i >> 3] as number) >> (i & 7)) & 1) === 1;
  }

  mark(i: number): void {
    if (this.isMarked(i)) return;
    this.#marks[i >> 3] = (this.#marks[i >> 3] as number) | (1 << (i & 7));
    this.#markCount++;
  }

  /** The chunk that holds byte `offset`. */
  indexOf(offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.startOf(middle + 1) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The list as contracts have it. */
  toChunks(): ChunkMeta[] {
    return Array.from({ length: this.count }, (_, i) => ({
      digest: this.digestOf(i),
      size: this.lengthOf(i),
    }));
  }
}

function wrongList(digest: B3Digest, state: string): CastoreError {
  return new CastoreError("CORRUPT", `Cannot use the chunk list of blob ${digest}: ${state}`);
}
