import { type BlobService, type ByteRange, CastoreError, copyInto } from "@tvix/castore";
import { FillMemory } from "./fill-memory.js";
import type { Piece } from "./piece.js";

/** The content of a piece, or why it is not to be had. */
export type LoadedPiece = Uint8Array | { readonly error: unknown };

/** Fetches pieces of content, each verified. */
export class PieceLoader {
  readonly #blobs: BlobService;
  readonly #memory = new FillMemory();

  constructor(blobs: BlobService) {
    this.#blobs = blobs;
  }

  /** A piece, where it is to be had without waiting. */
  loadNow(piece: Piece): Uint8Array | undefined {
    return isPart(piece) ? undefined : this.#blobs.readNow?.(piece.digest, piece.length);
  }

  /**
   * Fetches pieces together. One that fails is no reason for the others to.
   *
   * @returns in the order of `pieces`
   */
  async load(pieces: readonly Piece[], signal: AbortSignal): Promise<LoadedPiece[]> {
    const filled = await this.#fillTogether(pieces, signal);
    if (filled.length === pieces.length && !filled.includes(undefined)) {
      return filled as Uint8Array[];
    }
    return Promise.all(
      pieces.map((piece, i) => filled[i] ?? loadAlone(this.#blobs, piece, signal).catch(failed)),
    );
  }

  /** What a service that fills memory itself can fill. */
  async #fillTogether(
    pieces: readonly Piece[],
    signal: AbortSignal,
  ): Promise<readonly (Uint8Array | undefined)[]> {
    if (this.#blobs.fillMany === undefined || pieces.some(isPart)) return [];
    let end = 0;
    const places = pieces.map(({ digest, length }) => {
      const place = { digest, offset: end, length };
      end += length;
      return place;
    });
    const memory = this.#memory.take(end);
    let missed: readonly number[];
    try {
      missed = await this.#blobs.fillMany(places, memory, { signal });
    } catch {
      signal.throwIfAborted();
      // Whatever is wrong, reading each alone tells of which.
      return [];
    }
    const contents: (Uint8Array | undefined)[] = places.map(({ offset, length }, i) =>
      missed.includes(i) ? undefined : copyOf(new Uint8Array(memory, offset, length)),
    );
    this.#memory.give(memory);
    return contents;
  }
}

function isPart(piece: Piece): boolean {
  return piece.part !== undefined;
}

function copyOf(shared: Uint8Array): Uint8Array {
  const copy = new Uint8Array(shared.byteLength);
  copyInto(copy, 0, shared);
  return copy;
}

function failed(error: unknown): LoadedPiece {
  return { error };
}

async function loadAlone(
  blobs: BlobService,
  { digest, length, part }: Piece,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const expectedSize = part?.blobSize ?? length;
  const reader = await blobs.openRead(digest, { signal, expectedSize });
  if (reader === undefined) {
    throw new CastoreError("MISSING_REFERENCE", `Cannot read blob ${digest}: not stored`);
  }
  if (reader.size !== expectedSize) throw wrongSize(digest, reader.size, expectedSize);
  const range: ByteRange = part === undefined ? {} : { offset: part.offset, length };
  const content = new Uint8Array(length);
  let filled = 0;
  for await (const bytes of reader.stream(range, { signal })) {
    if (bytes.byteLength > length - filled) {
      throw wrongSize(digest, filled + bytes.byteLength, length);
    }
    content.set(bytes, filled);
    filled += bytes.byteLength;
  }
  if (filled !== length) throw wrongSize(digest, filled, length);
  return content;
}

function wrongSize(digest: Piece["digest"], size: number, expected: number): CastoreError {
  return new CastoreError(
    "CORRUPT",
    `Cannot read blob ${digest}: ${size} bytes instead of ${expected}`,
  );
}
