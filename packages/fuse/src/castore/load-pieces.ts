import { type BlobService, type ByteRange, CastoreError } from "@tvix/castore";
import type { Piece } from "./piece.js";

/** The content of a piece, or why it is not to be had. */
export type LoadedPiece = Uint8Array | { readonly error: unknown };

/**
 * Fetches pieces together, each verified. One that fails is no reason for the others to.
 *
 * @returns in the order of `pieces`
 */
export async function loadPieces(
  blobs: BlobService,
  pieces: readonly Piece[],
  signal: AbortSignal,
): Promise<LoadedPiece[]> {
  const filled = await fillTogether(blobs, pieces, signal);
  return Promise.all(
    pieces.map((piece, i) => filled[i] ?? loadAlone(blobs, piece, signal).catch(failed)),
  );
}

function failed(error: unknown): LoadedPiece {
  return { error };
}

/** What a service that fills memory itself can. */
async function fillTogether(
  blobs: BlobService,
  pieces: readonly Piece[],
  signal: AbortSignal,
): Promise<readonly (Uint8Array | undefined)[]> {
  if (blobs.fillMany === undefined || pieces.some((piece) => piece.part !== undefined)) return [];
  let end = 0;
  const places = pieces.map(({ digest, length }) => {
    const place = { digest, offset: end, length };
    end += length;
    return place;
  });
  const memory = new SharedArrayBuffer(end);
  let missed: readonly number[];
  try {
    missed = await blobs.fillMany(places, memory, { signal });
  } catch {
    signal.throwIfAborted();
    // Whatever is wrong, reading each alone tells of which.
    return [];
  }
  const contents: (Uint8Array | undefined)[] = places.map(
    ({ offset, length }) => new Uint8Array(memory, offset, length),
  );
  for (const i of missed) contents[i] = undefined;
  return contents;
}

async function loadAlone(
  blobs: BlobService,
  { digest, length, part }: Piece,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const reader = await blobs.openRead(digest, { signal });
  if (reader === undefined) {
    throw new CastoreError("MISSING_REFERENCE", `Cannot read blob ${digest}: not stored`);
  }
  const expected = part?.blobSize ?? length;
  if (reader.size !== expected) throw wrongSize(digest, reader.size, expected);
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
