import { concatBytes, copyBytes, toUtf8 } from "@tvix/castore";
import { StoreError } from "../errors.js";
import type { HashAlgorithm } from "../nix-hash/algorithm.js";
import { createHasher, type Hasher } from "../nix-hash/hasher.js";
import { NixHash } from "../nix-hash.js";
import { encodeNixBase32 } from "../nixbase32.js";
import type { StorePath } from "../store-path/store-path.js";

/** Most places where a path may refer to itself: they are remembered to the end. */
export const MAX_SELF_REFERENCES: number = 2 ** 20;

/** How a {@link HashModulo} is computed. */
export interface HashModuloOptions {
  /**
   * Whether the places of the references count, as in Nix up to 2.16 and from 2.35; true by default.
   *
   * Nix 2.17 to 2.34 lost them by mistake (Nix issue 15837), so that content with a reference and
   * content with zeros in its place had one hash. Paths made by these versions verify only with
   * `false`, at the price of that ambiguity.
   */
  readonly positions?: boolean;
}

/**
 * The hash of content that refers to the path it is to have, which follows from the hash: each
 * occurrence of the digest of the path counts as so many zeros, and after the content comes `|<offset>`
 * for each of them. Without occurrences it is the plain hash.
 */
export class HashModulo {
  readonly #algorithm: HashAlgorithm;
  readonly #hasher: Hasher;
  readonly #digest: Uint8Array;
  readonly #skips: Uint8Array;
  readonly #positions: number[] = [];
  readonly #withPositions: boolean;
  /** What could be the start of an occurrence: fewer bytes than the digest has. */
  #pending: Uint8Array = new Uint8Array(0);
  /** Offset of {@link #pending} in the content. */
  #offset = 0;

  constructor(algorithm: HashAlgorithm, self: StorePath, options: HashModuloOptions = {}) {
    this.#algorithm = algorithm;
    this.#hasher = createHasher(algorithm);
    this.#digest = toUtf8(encodeNixBase32(self.digestBytes()));
    this.#skips = skipTable(this.#digest);
    this.#withPositions = options.positions ?? true;
  }

  /**
   * Takes more bytes; they are neither changed nor kept.
   *
   * @throws {@link StoreError} with code "INVALID_ARGUMENT" when there are more than
   *   {@link MAX_SELF_REFERENCES}
   */
  update(bytes: Uint8Array): this {
    const joined = concatBytes([this.#pending, bytes]);
    const { byteLength: length } = this.#digest;
    for (let at = 0; ; at += length) {
      at = indexOf(joined, this.#digest, this.#skips, at);
      if (at === -1) break;
      this.#remember(this.#offset + at);
      joined.fill(0, at, at + length);
    }
    const ready = Math.max(0, joined.byteLength - (length - 1));
    this.#hasher.update(joined.subarray(0, ready));
    this.#offset += ready;
    this.#pending = copyBytes(joined.subarray(ready));
    return this;
  }

  /** Ends the computation. */
  digest(): NixHash {
    this.#hasher.update(this.#pending);
    if (this.#withPositions) {
      for (const position of this.#positions) this.#hasher.update(toUtf8(`|${position}`));
    }
    return NixHash.of(this.#algorithm, this.#hasher.digest());
  }

  #remember(position: number): void {
    if (this.#positions.length === MAX_SELF_REFERENCES) {
      throw new StoreError(
        "INVALID_ARGUMENT",
        `Cannot hash content modulo its path: it refers to itself more than ${MAX_SELF_REFERENCES} times`,
      );
    }
    this.#positions.push(position);
  }
}

/** How far a window may move on by its last byte (Horspool). */
function skipTable(needle: Uint8Array): Uint8Array {
  const last = needle.byteLength - 1;
  const skips = new Uint8Array(256).fill(needle.byteLength);
  needle.subarray(0, last).forEach((byte, i) => {
    skips[byte] = last - i;
  });
  return skips;
}

function indexOf(bytes: Uint8Array, needle: Uint8Array, skips: Uint8Array, from: number): number {
  const last = needle.byteLength - 1;
  let end = from + last;
  while (end < bytes.byteLength) {
    let i = last;
    while (i >= 0 && needle[i] === bytes[end - last + i]) i--;
    if (i < 0) return end - last;
    end += skips[bytes[end] as number] as number;
  }
  return -1;
}
