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

/** The key whose encoding is `publicKey`, 32 bytes. One that is no point of the curve verifies nothing. */
export function ed25519Verifier(publicKey: Uint8Array): Ed25519Verifier {
  return createVerifier(publicKey);
}
