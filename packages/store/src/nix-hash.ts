import { compareBytes, copyBytes } from "@tvix/castore";
import { StoreError } from "./errors.js";
import { encodeNixBase32 } from "./nixbase32.js";

/** The hash algorithms that Nix knows for content addresses. */
export type HashAlgorithm = "md5" | "sha1" | "sha256" | "sha512";

/** Digest lengths in bytes. */
export const HASH_LENGTHS: Readonly<Record<HashAlgorithm, number>> = {
  md5: 16,
  sha1: 20,
  sha256: 32,
  sha512: 64,
};

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

  /** Bytes of the digest: a copy. */
  toBytes(): Uint8Array {
    return copyBytes(this.#digest);
  }

  equals(other: NixHash): boolean {
    return this.algorithm === other.algorithm && compareBytes(this.#digest, other.#digest) === 0;
  }

  /** `<algorithm>:<nixbase32>`, as Nix writes it in a narinfo and in a content address. */
  toString(): string {
    return `${this.algorithm}:${encodeNixBase32(this.#digest)}`;
  }
}
