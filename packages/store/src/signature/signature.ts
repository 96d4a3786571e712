import { compareBytes, copyBytes, toBase64 } from "@tvix/castore";
import { StoreError } from "../errors.js";
import { checkKeyName, parseKeyText } from "./key-text.js";

/** Length of an Ed25519 signature in bytes. */
export const SIGNATURE_LENGTH = 64;

/** A signature of a path info and the name of the key that made it. Whether it is right is not known. */
export class Signature {
  readonly keyName: string;
  readonly #data: Uint8Array;

  private constructor(keyName: string, data: Uint8Array) {
    this.keyName = keyName;
    this.#data = data;
  }

  /**
   * Copies `data`. Any name is taken, as in the messages of tvix; one that no key may have is found
   * when the text is asked for.
   *
   * @throws {@link StoreError} with code "INVALID_ARGUMENT" when it is not 64 bytes long
   */
  static of(keyName: string, data: Uint8Array): Signature {
    if (data.byteLength !== SIGNATURE_LENGTH) {
      throw new StoreError(
        "INVALID_ARGUMENT",
        `Invalid signature: expected ${SIGNATURE_LENGTH} bytes, got ${data.byteLength}`,
      );
    }
    return new Signature(keyName, copyBytes(data));
  }

  /**
   * Reads `<key name>:<base64>`.
   *
   * @throws {@link InvalidKeyError}
   */
  static parse(text: string): Signature {
    const { keyName, bytes } = parseKeyText(text, "signature", SIGNATURE_LENGTH);
    return new Signature(keyName, bytes);
  }

  /** Bytes of the signature: a copy. */
  toBytes(): Uint8Array {
    return copyBytes(this.#data);
  }

  equals(other: Signature): boolean {
    return this.keyName === other.keyName && compareBytes(this.#data, other.#data) === 0;
  }

  /**
   * `<key name>:<base64>`, as in a narinfo.
   *
   * @throws {@link InvalidKeyError} when no key may have that name
   */
  format(): string {
    return `${checkKeyName(this.keyName, "signature")}:${toBase64(this.#data)}`;
  }
}
