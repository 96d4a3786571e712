import { type BlobService, type ByteRange, CastoreError, copyInto } from "@tvix/castore";
import { FillMemory } from "./fill-memory.js";
import type { Piece } from "./piece.js";

/** The content of a piece, or why it is not to be had. */
export type LoadedPiece = Uint8Array | { readonly error: unknown };

/** Pieces that were fetched together. */
export interface LoadedPieces {
  /** In the order in which they were asked for. */
  readonly pieces: readonly LoadedPiece[];
  /** Memory in which some of them lie, if it is to be given back. */
  readonly memory?: SharedArrayBuffer;
}

/** Shorter pieces get memory of their own, so that one that stays does not keep much more than itself. */
const MIN_PLACED_BYTES = 64 * 1024;

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

  /** Fetches pieces together. One that fails is no reason for the others to. */
  async load(wanted: readonly Piece[], signal: AbortSignal): Promise<LoadedPieces> {
    const filled = await this.#fillTogether(wanted, signal);
    if (filled !== undefined && !filled.pieces.includes(undefined)) return filled as LoadedPieces;
    const pieces = await Promise.all(
      wanted.map(
        (piece, i) => filled?.pieces[i] ?? loadAlone(this.#blobs, piece, signal).catch(failed),
      ),
    );
    return { ...filled, pieces };
  }

  /** Takes back the memory of pieces that nobody looks at any more after this turn of the event loop. */
  giveBack(memory: SharedArrayBuffer): void {
    this.#memory.give(memory);
  }

  /** What a service that fills memory itself can fill. */
  async #fillTogether(
    wanted: readonly Piece[],
    signal: AbortSignal,
  ): Promise<FilledPieces | undefined> {
    if (this.#blobs.fillMany === undefined || wanted.some(isPart)) return undefined;
    let end = 0;
    const places = wanted.map(({ digest, length }) => {
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
      return undefined;
    }
    const pieces = places.map(({ offset, length }, i) =>
      missed.includes(i) ? undefined : new Uint8Array(memory, offset, length),
    );
    const staysInPlace = 2 * end >= memory.byteLength && end >= MIN_PLACED_BYTES * wanted.length;
    if (staysInPlace) return { pieces, memory };
    const copies = pieces.map((piece) => piece && copyOf(piece));
    this.giveBack(memory);
    return { pieces: copies };
  }
}

/** {@link LoadedPieces} of which some are still missing. */
interface FilledPieces extends Omit<LoadedPieces, "pieces"> {
  readonly pieces: readonly (Uint8Array | undefined)[];
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
