import { copyBytes, toHex } from "@tvix/castore";
import { createSigner, createVerifier } from "#ed25519";

/** Length of what a private key is made from, in bytes. */
export const ED25519_SEED_LENGTH = 32;

/** Length of a public key in bytes. */
export const ED25519_PUBLIC_KEY_LENGTH = 32;

/** A private key, ready for use. */
export interface Ed25519Signer {
  /** The public half: 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Signature of `message`: 64 bytes, the same each time. */
  sign(message: Uint8Array): Uint8Array;
}

/** A public key, ready for use. */
export interface Ed25519Verifier {
  /** Whether `signature` was made of `message` by the private half; false for any other bytes. */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

/** The key that follows from `seed`, 32 bytes. */
export function ed25519Signer(seed: Uint8Array): Ed25519Signer {
  return createSigner(seed);
}

/**
 * The key whose encoding is `publicKey`, 32 bytes. One that is no point of the curve verifies nothing,
 * and neither does one of small order, for which anybody can make signatures: libsodium, and so Nix,
 * refuses these, OpenSSL does not.
 */
export function ed25519Verifier(publicKey: Uint8Array): Ed25519Verifier {
  return hasSmallOrder(publicKey) ? { verify: () => false } : createVerifier(publicKey);
}

/**
 * Encodings of the points whose order divides 8, hexadecimal, without the sign in the highest bit: 0, 1,
 * the two of order 8, and 2^255-20, 2^255-19 and 2^255-18.
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
]);

function hasSmallOrder(publicKey: Uint8Array): boolean {
  const y = copyBytes(publicKey);
  const last = ED25519_PUBLIC_KEY_LENGTH - 1;
  y[last] = (y[last] as number) & 0x7f;
  return SMALL_ORDER.has(toHex(y));
}
