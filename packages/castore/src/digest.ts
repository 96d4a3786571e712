import { compareBytes, toBase64, toHex, toLatin1 } from "./bytes.js";
import { CastoreError } from "./errors.js";

/** Length of a BLAKE3-256 digest in bytes. */
export const DIGEST_LENGTH = 32;

const TEXT_PREFIX = "b3:";
const SRI_PREFIX = "blake3-";

/**
 * The BLAKE3-256 digest of a blob, a chunk or the canonical encoding of a Directory: 32 bytes that
 * cannot change.
 */
export class B3Digest {
  readonly #bytes: Uint8Array;
  #key: string | undefined;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * Copies a digest out of `bytes`.
   *
   * @throws {@link CastoreError} with code "INVALID_ARGUMENT" when they are not 32
   */
  static fromBytes(bytes: Uint8Array): B3Digest {
    if (bytes.byteLength !== DIGEST_LENGTH) {
      throw new CastoreError(
        "INVALID_ARGUMENT",
        `Invalid digest length: expected ${DIGEST_LENGTH} bytes, got ${bytes.byteLength}`,
      );
    }
    const own = new Uint8Array(DIGEST_LENGTH);
    own.set(bytes);
    return new B3Digest(own);
  }

  /**
   * Reads any text form in use: `b3:` or `blake3-` before padded base64 (tvix, snix), or 64
   * hexadecimal digits.
   *
   * @throws {@link CastoreError} with code "INVALID_ARGUMENT"
   */
  static parse(text: string): B3Digest {
    if (/^[0-9a-f]{64}$/i.test(text)) {
      const bytes = new Uint8Array(DIGEST_LENGTH);
      for (let i = 0; i < DIGEST_LENGTH; i++) {
        bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
      }
      return new B3Digest(bytes);
    }
    const prefix = [TEXT_PREFIX, SRI_PREFIX].find((candidate) => text.startsWith(candidate));
    const encoded = text.slice(prefix?.length ?? 0);
    if (prefix !== undefined && /^[0-9A-Za-z+/]{43}=$/.test(encoded)) {
      const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
      // The last group carries two spare bits; only zero there is the one spelling of a digest.
      if (toBase64(bytes) === encoded) return new B3Digest(bytes);
    }
    throw new CastoreError(
      "INVALID_ARGUMENT",
      `Invalid digest ${JSON.stringify(text)}: expected b3:<base64>, blake3-<base64> or 64 hexadecimal digits`,
    );
  }

  /** Bytes of the digest: a copy, 32 long. */
  toBytes(): Uint8Array {
    const copy = new Uint8Array(DIGEST_LENGTH);
    copy.set(this.#bytes);
    return copy;
  }

  /** Writes the digest to `target` at `offset`, without the copy that {@link toBytes} makes. */
  writeTo(target: Uint8Array, offset: number): void {
    target.set(this.#bytes, offset);
  }

  /** A string for `Map` and `Set`; equal digests have equal keys. Not for display. */
  get key(): string {
    this.#key ??= toLatin1(this.#bytes);
    return this.#key;
  }

  equals(other: B3Digest): boolean {
    return this === other || compareBytes(this.#bytes, other.#bytes) === 0;
  }

  /** Whether `bytes` are those of this digest. */
  equalsBytes(bytes: Uint8Array): boolean {
    return compareBytes(this.#bytes, bytes) === 0;
  }

  /** Lower-case hexadecimal, as used in file names. */
  toHex(): string {
    return toHex(this.#bytes);
  }

  /** `b3:` and padded base64: the text form of tvix. */
  toString(): string {
    return TEXT_PREFIX + toBase64(this.#bytes);
  }

  toJSON(): string {
    return this.toString();
  }
}
