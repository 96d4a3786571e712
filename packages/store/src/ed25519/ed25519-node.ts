import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { concatBytes } from "@tvix/castore";
import type { Ed25519Signer, Ed25519Verifier } from "./ed25519.js";

/** What PKCS #8 puts before the seed (RFC 8410, section 7). */
const PKCS8_PREFIX = Uint8Array.of(
  ...[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70],
  ...[0x04, 0x22, 0x04, 0x20],
);

/** What SubjectPublicKeyInfo puts before a public key (RFC 8410, section 4). */
const SPKI_PREFIX = Uint8Array.of(
  ...[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00],
);

/** Signs with the OpenSSL in Node. */
export function createSigner(seed: Uint8Array): Ed25519Signer {
  const encoded = Buffer.from(concatBytes([PKCS8_PREFIX, seed]));
  const key = createPrivateKey({ key: encoded, format: "der", type: "pkcs8" });
  encoded.fill(0);
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    // No Buffer crosses a module boundary.
    publicKey: new Uint8Array(spki.subarray(SPKI_PREFIX.byteLength)),
    sign: (message) => new Uint8Array(sign(null, message, key)),
  };
}

/** Verifies with the OpenSSL in Node. */
export function createVerifier(publicKey: Uint8Array): Ed25519Verifier {
  const encoded = Buffer.from(concatBytes([SPKI_PREFIX, publicKey]));
  const key = createPublicKey({ key: encoded, format: "der", type: "spki" });
  return { verify: (message, signature) => verify(null, message, key, signature) };
}
