import { ed25519 } from "@noble/curves/ed25519.js";
import { copyBytes } from "@tvix/castore";
import type { Ed25519Signer, Ed25519Verifier } from "./ed25519.js";

/** Signs in JavaScript, for browsers and other runtimes. */
export function createSigner(seed: Uint8Array): Ed25519Signer {
  const secret = copyBytes(seed);
  return {
    publicKey: ed25519.getPublicKey(secret),
    sign: (message) => ed25519.sign(message, secret),
  };
}

/** Length of a signature in bytes; the library throws at any other. */
const SIGNATURE_LENGTH = 64;

const STRICT = { zip215: false } as const;

/** Verifies in JavaScript, by the strict rules of RFC 8032 as libsodium and OpenSSL do. */
export function createVerifier(publicKey: Uint8Array): Ed25519Verifier {
  const key = copyBytes(publicKey);
  return {
    verify: (message, signature) =>
      signature.byteLength === SIGNATURE_LENGTH && ed25519.verify(signature, message, key, STRICT),
  };
}
