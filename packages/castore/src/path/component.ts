import { compareBytes, escapeBytes, toLatin1, toUtf8 } from "../bytes.js";
import { CastoreError } from "../errors.js";

/** Longest name of a directory entry, in bytes (as on Linux file systems). */
export const MAX_NAME_LENGTH = 255;

/** Which rule a name breaks; the order is that of the checks. */
export type InvalidNameReason = "empty" | "parent" | "current" | "too-long" | "nul" | "slash";

/** A name that no directory entry may have. */
export class InvalidNameError extends CastoreError {
  override readonly name: string = "InvalidNameError";
  readonly reason: InvalidNameReason;

  constructor(reason: InvalidNameReason, bytes: Uint8Array) {
    super("INVALID_ARGUMENT", `Invalid name "${escapeBytes(bytes.subarray(0, 300))}": ${RULES[reason]}`);
    this.reason = reason;
  }
}

const RULES: Record<InvalidNameReason, string> = {
  empty: "it is empty",
  parent: '".." is not a name',
  current: '"." is not a name',
  "too-long": `it is longer than ${MAX_NAME_LENGTH} bytes`,
  nul: "it contains a NUL byte",
  slash: "it contains a slash",
};

const DOT = 0x2e;
const SLASH = 0x2f;

/** The name of one entry of a directory: 1 to 255 bytes, any but NUL and slash, not `.` or `..`. */
export class PathComponent {
  readonly #bytes: Uint8Array;
  #key: string | undefined;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * Copies a name out of `bytes`.
   *
   * @throws {@link InvalidNameError}
   */
  static fromBytes(bytes: Uint8Array): PathComponent {
    const reason = invalidNameReason(bytes);
    if (reason !== undefined) throw new InvalidNameError(reason, bytes);
    const own = new Uint8Array(bytes.byteLength);
    own.set(bytes);
    return new PathComponent(own);
  }

  /**
   * The name with the UTF-8 bytes of `text`.
   *
   * @throws {@link InvalidNameError}
   */
  static parse(text: string): PathComponent {
    return PathComponent.fromBytes(toUtf8(text));
  }

  /** Length in bytes. */
  get byteLength(): number {
    return this.#bytes.byteLength;
  }

  /** Bytes of the name: a copy. */
  toBytes(): Uint8Array {
    const copy = new Uint8Array(this.#bytes.byteLength);
    copy.set(this.#bytes);
    return copy;
  }

  /** Writes the name to `target` at `offset`. */
  writeTo(target: Uint8Array, offset: number): void {
    target.set(this.#bytes, offset);
  }

  /** A string for `Map` and `Set`, equal for equal names. Not for display. */
  get key(): string {
    this.#key ??= toLatin1(this.#bytes);
    return this.#key;
  }

  compare(other: PathComponent): number {
    return compareBytes(this.#bytes, other.#bytes);
  }

  equals(other: PathComponent): boolean {
    return this.compare(other) === 0;
  }

  /** The name for people: escaped where it is not printable UTF-8. */
  toString(): string {
    return escapeBytes(this.#bytes);
  }
}

function invalidNameReason(bytes: Uint8Array): InvalidNameReason | undefined {
  const length = bytes.byteLength;
  if (length === 0) return "empty";
  if (length === 2 && bytes[0] === DOT && bytes[1] === DOT) return "parent";
  if (length === 1 && bytes[0] === DOT) return "current";
  if (length > MAX_NAME_LENGTH) return "too-long";
  if (bytes.includes(0)) return "nul";
  if (bytes.includes(SLASH)) return "slash";
  return undefined;
}
