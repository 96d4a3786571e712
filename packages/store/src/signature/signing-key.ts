import { concatBytes, copyBytes, equalBytes, toBase64, toUtf8 } from "@tvix/castore";
import {
  ED25519_PUBLIC_KEY_LENGTH,
  ED25519_SEED_LENGTH,
  type Ed25519Signer,
  ed25519Signer,
} from "../ed25519/ed25519.js";
import { StoreError } from "../errors.js";
import { fingerprint, type SignedFacts } from "./fingerprint.js";
import { checkKeyName, InvalidKeyError, parseKeyText } from "./key-text.js";
import { Signature } from "./signature.js";
import { VerifyingKey } from "./verifying-key.js";

/** The seed, then the public key: what libsodium calls a secret key. */
const SECRET_KEY_LENGTH = ED25519_SEED_LENGTH + ED25519_PUBLIC_KEY_LENGTH;

/** A secret key and its name. Only {@link formatSecret} gives the secret away, no text or JSON of it does. */
export class SigningKey {
  readonly keyName: string;
  /** What verifies the signatures of this key. */
  readonly publicKey: VerifyingKey;
  readonly #seed: Uint8Array;
  readonly #signer: Ed25519Signer;

  private constructor(keyName: string, seed: Uint8Array) {
    this.keyName = keyName;
    this.#seed = seed;
    this.#signer = ed25519Signer(seed);
    this.publicKey = VerifyingKey.of(keyName, this.#signer.publicKey);
  }

  /**
   * The key that follows from 32 bytes, which are copied and must be as hard to guess as the key.
   *
   * @throws {@link InvalidKeyError} with reason "name"
   * @throws {@link StoreError} with code "INVALID_ARGUMENT" when they are not 32
   */
  static of(keyName: string, seed: Uint8Array): SigningKey {
    if (seed.byteLength !== ED25519_SEED_LENGTH) {
      throw new StoreError(
        "INVALID_ARGUMENT",
        `Invalid seed of a key: expected ${ED25519_SEED_LENGTH} bytes, got ${seed.byteLength}`,
      );
    }
    return new SigningKey(checkKeyName(keyName), copyBytes(seed));
  }

  /**
   * A new key.
   *
   * @throws {@link InvalidKeyError} with reason "name"
   */
  static generate(keyName: string): SigningKey {
    return SigningKey.of(keyName, crypto.getRandomValues(new Uint8Array(ED25519_SEED_LENGTH)));
  }

  /**
   * Reads `<key name>:<base64>`, the content of a key file of Nix; white space may follow.
   *
   * @throws {@link InvalidKeyError} which tells nothing of the secret; with reason "key-pair" when the
   *   public half is not that of the seed, which Nix does not check
   */
  static parse(text: string): SigningKey {
    const { keyName, bytes } = parseKeyText(text.trimEnd(), "secret key", SECRET_KEY_LENGTH);
    const key = new SigningKey(keyName, copyBytes(bytes.subarray(0, ED25519_SEED_LENGTH)));
    if (!equalBytes(key.publicKey.toBytes(), bytes.subarray(ED25519_SEED_LENGTH))) {
      const why = `the public half of "${keyName}" does not follow from its secret half`;
      throw new InvalidKeyError("key-pair", "secret key", why);
    }
    return key;
  }

  /** Signs what `facts` state. */
  sign(facts: SignedFacts): Signature {
    return this.signText(fingerprint(facts));
  }

  /** {@link sign} for who has the fingerprint, or some other text. */
  signText(text: string): Signature {
    return Signature.of(this.keyName, this.#signer.sign(toUtf8(text)));
  }

  /** The content of a key file, `<key name>:<base64>`: **secret**. No line break at its end, as in Nix. */
  formatSecret(): string {
    const bytes = concatBytes([this.#seed, this.#signer.publicKey]);
    return `${this.keyName}:${toBase64(bytes)}`;
  }

  /** The name; nothing secret. */
  toString(): string {
    return `SigningKey(${this.keyName})`;
  }

  /** The name; nothing secret. */
  toJSON(): string {
    return this.toString();
  }
}
