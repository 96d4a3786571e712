import { copyBytes, equalBytes, toBase64, toUtf8 } from "@tvix/castore";
import {
  ED25519_PUBLIC_KEY_LENGTH,
  type Ed25519Verifier,
  ed25519Verifier,
} from "../ed25519/ed25519.js";
import { StoreError } from "../errors.js";
import { fingerprint, type SignedFacts } from "./fingerprint.js";
import { checkKeyName, parseKeyText } from "./key-text.js";
import type { Signature } from "./signature.js";

/** A public key and its name: what tells who signed. */
export class VerifyingKey {
  readonly keyName: string;
  readonly #publicKey: Uint8Array;
  readonly #verifier: Ed25519Verifier;

  private constructor(keyName: string, publicKey: Uint8Array) {
    this.keyName = keyName;
    this.#publicKey = publicKey;
    this.#verifier = ed25519Verifier(publicKey);
  }

  /**
   * Copies `publicKey`.
   *
   * @throws {@link InvalidKeyError} with reason "name"
   * @throws {@link StoreError} with code "INVALID_ARGUMENT" when the key is not 32 bytes long
   */
  static of(keyName: string, publicKey: Uint8Array): VerifyingKey {
    if (publicKey.byteLength !== ED25519_PUBLIC_KEY_LENGTH) {
      throw new StoreError(
        "INVALID_ARGUMENT",
        `Invalid public key: expected ${ED25519_PUBLIC_KEY_LENGTH} bytes, got ${publicKey.byteLength}`,
      );
    }
    return new VerifyingKey(checkKeyName(keyName), copyBytes(publicKey));
  }

  /**
   * Reads `<key name>:<base64>`, as in `trusted-public-keys` of Nix.
   *
   * @throws {@link InvalidKeyError}
   */
  static parse(text: string): VerifyingKey {
    const { keyName, bytes } = parseKeyText(text, "public key", ED25519_PUBLIC_KEY_LENGTH);
    return new VerifyingKey(keyName, bytes);
  }

  /** Bytes of the key: a copy. */
  toBytes(): Uint8Array {
    return copyBytes(this.#publicKey);
  }

  /** Whether this key, by name and by content, made `signature` of what `facts` state. */
  verify(facts: SignedFacts, signature: Signature): boolean {
    return this.verifyText(fingerprint(facts), signature);
  }

  /** {@link verify} for who has the fingerprint, or some other text. */
  verifyText(text: string, signature: Signature): boolean {
    return (
      signature.keyName === this.keyName && this.#verifier.verify(toUtf8(text), signature.toBytes())
    );
  }

  equals(other: VerifyingKey): boolean {
    return this.keyName === other.keyName && equalBytes(this.#publicKey, other.#publicKey);
  }

  /** `<key name>:<base64>`. */
  toString(): string {
    return `${this.keyName}:${toBase64(this.#publicKey)}`;
  }
}
