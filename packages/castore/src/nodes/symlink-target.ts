import { compareBytes, copyBytes, escapeBytes, toUtf8 } from "../bytes.js";
import { CastoreError } from "../errors.js";

/** Longest target of a symbolic link, in bytes (`PATH_MAX` without its NUL). */
export const MAX_SYMLINK_TARGET_LENGTH = 4095;

export type InvalidSymlinkTargetReason = "empty" | "too-long" | "nul";

/** A target that no symbolic link may have. */
export class InvalidSymlinkTargetError extends CastoreError {
  override readonly name: string = "InvalidSymlinkTargetError";
  readonly reason: InvalidSymlinkTargetReason;

  constructor(reason: InvalidSymlinkTargetReason) {
    super("INVALID_ARGUMENT", `Invalid symlink target: ${RULES[reason]}`);
    this.reason = reason;
  }
}

const RULES: Record<InvalidSymlinkTargetReason, string> = {
  empty: "it is empty",
  "too-long": `it is longer than ${MAX_SYMLINK_TARGET_LENGTH} bytes`,
  nul: "it contains a NUL byte",
};

/** Where a symbolic link points: 1 to 4095 bytes without NUL. Absolute and dangling ones are fine. */
export class SymlinkTarget {
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * Copies a target out of `bytes`.
   *
   * @throws {@link InvalidSymlinkTargetError}
   */
  static fromBytes(bytes: Uint8Array): SymlinkTarget {
    if (bytes.byteLength === 0) throw new InvalidSymlinkTargetError("empty");
    if (bytes.byteLength > MAX_SYMLINK_TARGET_LENGTH)
      throw new InvalidSymlinkTargetError("too-long");
    if (bytes.includes(0)) throw new InvalidSymlinkTargetError("nul");
    return new SymlinkTarget(copyBytes(bytes));
  }

  /** The target with the UTF-8 bytes of `text`. */
  static parse(text: string): SymlinkTarget {
    return SymlinkTarget.fromBytes(toUtf8(text));
  }

  get byteLength(): number {
    return this.#bytes.byteLength;
  }

  /** Bytes of the target: a copy. */
  toBytes(): Uint8Array {
    return copyBytes(this.#bytes);
  }

  /** Writes the target to `buffer` at `offset`. */
  writeTo(buffer: Uint8Array, offset: number): void {
    buffer.set(this.#bytes, offset);
  }

  equals(other: SymlinkTarget): boolean {
    return compareBytes(this.#bytes, other.#bytes) === 0;
  }

  /** The target for people: escaped where it is not printable UTF-8. */
  toString(): string {
    return escapeBytes(this.#bytes);
  }
}
