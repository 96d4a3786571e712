import { compareBytes, copyBytes } from "@tvix/castore";
import { StoreError } from "./errors.js";
import { HASH_LENGTHS, type HashAlgorithm } from "./nix-hash/algorithm.js";
import { formatHashText, type NixHashEncoding, parseHashText } from "./nix-hash/text.js";

export { HASH_LENGTHS, type HashAlgorithm };

/** A digest together with its algorithm. Cannot change. */
export class NixHash {
  readonly algorithm: HashAlgorithm;
  readonly #digest: Uint8Array;

  private constructor(algorithm: HashAlgorithm, digest: Uint8Array) {
    this.algorithm = algorithm;
    this.#digest = digest;
  }

  /**
   * Copies `digest`.
   *
   * @throws {@link StoreError} with code "INVALID_ARGUMENT" when its length is not that of the algorithm
   */
  static of(algorithm: HashAlgorithm, digest: Uint8Array): NixHash {
    const expected = HASH_LENGTHS[algorithm];
    if (digest.byteLength !== expected) {
      throw new StoreError(
        "INVALID_ARGUMENT",
        `Invalid ${algorithm} digest: expected ${expected} bytes, got ${digest.byteLength}`,
      );
    }
    return new NixHash(algorithm, copyBytes(digest));
  }

  /**
   * Reads any text form that Nix has: hexadecimal, nixbase32 or base64, told apart by length, with
   * `<algorithm>:` before it, or SRI, `<algorithm>-<base64>`.
   *
   * @param options.algorithm - what the text must be a hash of; with it, the text need not name one
   * @throws {@link InvalidNixHashError}
   */
  static parse(text: string, options: { readonly algorithm?: HashAlgorithm } = {}): NixHash {
    const { algorithm, digest } = parseHashText(text, options.algorithm);
    return new NixHash(algorithm, digest);
  }

  /** Bytes of the digest: a copy. */
  toBytes(): Uint8Array {
    return copyBytes(this.#digest);
  }

  equals(other: NixHash): boolean {
    return this.algorithm === other.algorithm && compareBytes(this.#digest, other.#digest) === 0;
  }

  /**
   * Text in that encoding.
   *
   * @param options.named - whether `<algorithm>:` comes first; false by default, and always so in SRI
   *   in its own way
   */
  format(encoding: NixHashEncoding, options: { readonly named?: boolean } = {}): string {
    const parts = { algorithm: this.algorithm, digest: this.#digest };
    return formatHashText(parts, encoding, options.named ?? false);
  }

  /** `<algorithm>:<nixbase32>`, as Nix writes it in a narinfo and in a content address. */
  toString(): string {
    return this.format("nixbase32", { named: true });
  }
}
