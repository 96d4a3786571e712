import { B3Digest, type BlobService, CastoreError, DIGEST_LENGTH } from "@tvix/castore";
import type { Piece, Slice } from "./piece.js";

/** Chunks that are longer are not fetched whole, and nor are blobs without chunks. */
const MAX_PIECE_BYTES = 8 * 1024 * 1024;

/** Length of the pieces of what has no chunks of a good length: about that of a chunk, for the same reasons. */
const PART_BYTES = 256 * 1024;

/** How a blob is cut into pieces. Compact: one of 10 GiB has some 40,000. */
export class BlobLayout {
  readonly #digest: B3Digest;
  /** In bytes. */
  readonly size: number;
  /** Where each piece starts, and at the end where the last one ends. */
  readonly #starts: Float64Array;
  /** Digests of the chunks, one behind the other; `undefined` when pieces are parts of the blob. */
  readonly #chunks: Uint8Array | undefined;

  private constructor(digest: B3Digest, starts: Float64Array, chunks: Uint8Array | undefined) {
    this.#digest = digest;
    this.#starts = starts;
    this.#chunks = chunks;
    this.size = starts[starts.length - 1] as number;
  }

  /**
   * Asks how a blob is cut.
   *
   * @throws `CastoreError` "MISSING_REFERENCE" when it is not stored, "CORRUPT" when it has another size
   */
  static async open(
    blobs: BlobService,
    digest: B3Digest,
    size: number,
    signal: AbortSignal,
  ): Promise<BlobLayout> {
    const chunks = await blobs.chunks(digest, { signal, proved: true });
    if (chunks === undefined) {
      throw new CastoreError("MISSING_REFERENCE", `Cannot read blob ${digest}: not stored`);
    }
    if (chunks.length === 0) return new BlobLayout(digest, equalParts(size), undefined);
    const starts = new Float64Array(chunks.length + 1);
    const digests = new Uint8Array(chunks.length * DIGEST_LENGTH);
    let end = 0;
    let longest = 0;
    for (const [i, chunk] of chunks.entries()) {
      chunk.digest.writeTo(digests, i * DIGEST_LENGTH);
      end += chunk.size;
      longest = Math.max(longest, chunk.size);
      starts[i + 1] = end;
    }
    if (end !== size) {
      throw new CastoreError(
        "CORRUPT",
        `Cannot read blob ${digest}: its chunks are ${end} bytes instead of ${size}`,
      );
    }
    return longest > MAX_PIECE_BYTES
      ? new BlobLayout(digest, equalParts(size), undefined)
      : new BlobLayout(digest, starts, digests);
  }

  /** How many pieces there are. */
  get count(): number {
    return this.#starts.length - 1;
  }

  /** The pieces that hold bytes from `start` to before `end`, which are in the blob. */
  pieces(start: number, end: number): Piece[] {
    const pieces: Piece[] = [];
    for (let i = this.#indexOf(start); i < this.count && this.#startOf(i) < end; i++) {
      pieces.push(this.#piece(i));
    }
    return pieces;
  }

  /** {@link pieces}, and which bytes of each. */
  slices(start: number, end: number): Slice[] {
    let at = this.#startOf(this.#indexOf(start));
    return this.pieces(start, end).map((piece) => {
      const slice = {
        piece,
        start: Math.max(0, start - at),
        end: Math.min(piece.length, end - at),
      };
      at += piece.length;
      return slice;
    });
  }

  #startOf(i: number): number {
    return this.#starts[i] as number;
  }

  /** The piece that holds byte `offset`. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#startOf(middle + 1) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #piece(i: number): Piece {
    const offset = this.#startOf(i);
    const length = this.#startOf(i + 1) - offset;
    if (this.#chunks === undefined) {
      const key = `${this.#digest.key}@${offset}`;
      return { key, digest: this.#digest, length, part: { offset, blobSize: this.size } };
    }
    const at = i * DIGEST_LENGTH;
    const digest = B3Digest.fromRange(this.#chunks, at, at + DIGEST_LENGTH);
    return { key: digest.key, digest, length };
  }
}

function equalParts(size: number): Float64Array {
  const count = Math.ceil(size / PART_BYTES);
  return Float64Array.from({ length: count + 1 }, (_, i) => Math.min(i * PART_BYTES, size));
}
