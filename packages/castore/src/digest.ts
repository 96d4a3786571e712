import { BlockAllocator } from "./byte-block.js";
import { compareByteRanges, toBase64, toHex, toLatin1 } from "./bytes.js";
import { CastoreError } from "./errors.js";

/** Length of a BLAKE3-256 digest in bytes. */
export const DIGEST_LENGTH = 32;

const TEXT_PREFIX = "b3:";
const SRI_PREFIX = "blake3-";

const allocator = new BlockAllocator();

/**
 * The BLAKE3-256 digest of a blob, a chunk or the canonical encoding of a Directory: 32 bytes that
 * cannot change.
 */
export class B3Digest {
  readonly #block: Uint8Array;
  readonly #start: number;
  #key: string | undefined;

  private constructor(block: Uint8Array, start: number) {
    this.#block = block;
    this.#start = start;
  }

  /**
   * Copies a digest out of `bytes`.
   *
   * @throws {@link CastoreError} with code "INVALID_ARGUMENT" when they are not 32
   */
  static fromBytes(bytes: Uint8Array): B3Digest {
    return B3Digest.fromRange(bytes, 0, bytes.byteLength);
  }

  /**
   * Copies a digest out of bytes `start` to `end` of `bytes`.
   *
   * @throws {@link CastoreError} with code "INVALID_ARGUMENT" when they are not 32
   */
  static fromRange(bytes: Uint8Array, start: number, end: number): B3Digest {
    if (end - start !== DIGEST_LENGTH) {
      throw new CastoreError(
        "INVALID_ARGUMENT",
        `Invalid digest length: expected ${DIGEST_LENGTH} bytes, got ${end - start}`,
      );
    }
    const offset = allocator.copy(bytes, start, end);
    return new B3Digest(allocator.block, offset);
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
      return B3Digest.fromBytes(bytes);
    }
    const prefix = [TEXT_PREFIX, SRI_PREFIX].find((candidate) => text.startsWith(candidate));
    const encoded = text.slice(prefix?.length ?? 0);
    if (prefix !== undefined && /^[0-9A-Za-z+/]{43}=$/.test(encoded)) {
      const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
      // The last group carries two spare bits; only zero there is the one spelling of a digest.
      if (toBase64(bytes) === encoded) return B3Digest.fromBytes(bytes);
    }
    throw new CastoreError(
      "INVALID_ARGUMENT",
      `Invalid digest ${JSON.stringify(text)}: expected b3:<base64>, blake3-<base64> or 64 hexadecimal digits`,
    );
  }

  /** Bytes of the digest: a copy, 32 long. */
  toBytes(): Uint8Array {
    const copy = new Uint8Array(DIGEST_LENGTH);
    this.writeTo(copy, 0);
    return copy;
  }

  /** Writes the digest to `target` at `offset`, without the copy that {@link toBytes} makes. */
  writeTo(target: Uint8Array, offset: number): void {
    for (let i = 0; i < DIGEST_LENGTH; i++) {
      target[offset + i] = this.#block[this.#start + i] as number;
    }
  }

  /** A string for `Map` and `Set`; equal digests have equal keys. Not for display. */
  get key(): string {
    this.#key ??= toLatin1(this.#view());
    return this.#key;
  }

  equals(other: B3Digest): boolean {
    return this === other || this.#equals(other.#block, other.#start, DIGEST_LENGTH);
  }

  /** Whether `bytes` are those of this digest. */
  equalsBytes(bytes: Uint8Array): boolean {
    return this.#equals(bytes, 0, bytes.byteLength);
  }

  /** Lower-case hexadecimal, as used in file names. */
  toHex(): string {
    return toHex(this.#view());
  }

  /** `b3:` and padded base64: the text form of tvix. */
  toString(): string {
    return TEXT_PREFIX + toBase64(this.#view());
  }

  toJSON(): string {
    return this.toString();
  }

  #equals(bytes: Uint8Array, start: number, length: number): boolean {
    return compareByteRanges(this.#block, this.#start, DIGEST_LENGTH, bytes, start, length) === 0;
  }

  #view(): Uint8Array {
    return this.#block.subarray(this.#start, this.#start + DIGEST_LENGTH);
  }
}

/** Digests, one behind the other. */
export function joinDigests(digests: readonly B3Digest[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(digests.length * DIGEST_LENGTH);
  digests.forEach((digest, i) => {
    digest.writeTo(bytes, i * DIGEST_LENGTH);
  });
  return bytes;
}

/**
 * The digests that {@link joinDigests} has joined.
 *
 * @throws {@link CastoreError} with code "INVALID_ARGUMENT" when the last one is cut off
 */
export function splitDigests(bytes: Uint8Array): B3Digest[] {
  return Array.from({ length: Math.ceil(bytes.byteLength / DIGEST_LENGTH) }, (_, i) => {
    const start = i * DIGEST_LENGTH;
    return B3Digest.fromRange(bytes, start, Math.min(start + DIGEST_LENGTH, bytes.byteLength));
  });
}
