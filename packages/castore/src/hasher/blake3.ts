import { B3Digest } from "../digest.js";
import { createHash, hashOnce } from "#blake3";

/** A BLAKE3-256 computation over bytes that arrive in pieces. Single use. */
export interface Blake3Hash {
  /** Takes more bytes; they are not kept. */
  update(bytes: Uint8Array): this;
  /** Ends the computation. */
  digest(): B3Digest;
  /** Frees it without a result; harmless after {@link digest}. */
  dispose(): void;
}

/** Starts a streaming BLAKE3-256 computation. Call `digest()` or `dispose()` in the end. */
export function createBlake3(): Blake3Hash {
  return createHash();
}

/** BLAKE3-256 of `bytes`. */
export function blake3(bytes: Uint8Array): B3Digest {
  return B3Digest.fromBytes(hashOnce(bytes));
}
