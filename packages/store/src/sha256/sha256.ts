import { createHash } from "#sha256";

/** Length of a SHA-256 digest in bytes. */
export const SHA256_LENGTH = 32;

/** A SHA-256 computation over bytes that arrive in pieces. Single use. */
export interface Sha256 {
  /** Takes more bytes; they are not kept. */
  update(bytes: Uint8Array): this;
  /** Ends the computation: 32 bytes that belong to the caller. */
  digest(): Uint8Array;
}

/** Starts a streaming SHA-256 computation. */
export function createSha256(): Sha256 {
  return createHash();
}

/** SHA-256 of `bytes`. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash().update(bytes).digest();
}
