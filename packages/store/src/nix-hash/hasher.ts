import { createHash } from "#hasher";
import type { HashAlgorithm } from "./algorithm.js";

/** A computation of any hash that Nix knows, over bytes that arrive in pieces. Single use. */
export interface Hasher {
  /** Takes more bytes; they are not kept. */
  update(bytes: Uint8Array): this;
  /** Ends the computation: a digest that belongs to the caller. */
  digest(): Uint8Array;
}

/** Starts a streaming computation. */
export function createHasher(algorithm: HashAlgorithm): Hasher {
  return createHash(algorithm);
}
