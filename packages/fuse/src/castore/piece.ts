import type { B3Digest } from "@tvix/castore";

/** A part of the content of files that is fetched, verified and kept as a whole. */
export interface Piece {
  /** Equal for pieces with the same content. */
  readonly key: string;
  /** Of a blob, or of a chunk, which can be read like one. */
  readonly digest: B3Digest;
  /** In bytes. */
  readonly length: number;
  /** Of a blob that is not fetched whole: where in it the piece is, and how long the blob is. */
  readonly part?: { readonly offset: number; readonly blobSize: number };
}

/** Bytes of a piece from `start` to before `end`, which somebody reads. */
export interface Slice {
  readonly piece: Piece;
  readonly start: number;
  readonly end: number;
}

/** All of a blob or chunk. */
export function wholePiece(digest: B3Digest, length: number): Piece {
  return { key: digest.key, digest, length };
}
