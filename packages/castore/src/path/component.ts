import { BlockAllocator } from "../byte-block.js";
import { compareByteRanges, escapeBytes, toLatin1, toUtf8 } from "../bytes.js";
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
    super(
      "INVALID_ARGUMENT",
      `Invalid name "${escapeBytes(bytes.subarray(0, 300))}": ${RULES[reason]}`,
    );
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

const allocator = new BlockAllocator();

/** The name of one entry of a directory: 1 to 255 bytes, any but NUL and slash, not `.` or `..`. */
export class PathComponent {
  readonly #block: Uint8Array;
  readonly #start: number;
  /** Length in bytes. */
  readonly byteLength: number;
  #key: string | undefined;

  private constructor(block: Uint8Array, start: number, byteLength: number) {
    this.#block = block;
    this.#start = start;
    this.byteLength = byteLength;
  }

  /**
   * Copies a name out of `bytes`.
   *
   * @throws {@link InvalidNameError}
   */
  static fromBytes(bytes: Uint8Array): PathComponent {
    return PathComponent.fromRange(bytes, 0, bytes.byteLength);
  }

  /**
   * Copies a name out of bytes `start` to `end` of `bytes`.
   *
   * @throws {@link InvalidNameError}
   */
  static fromRange(bytes: Uint8Array, start: number, end: number): PathComponent {
    const reason = invalidNameReason(bytes, start, end);
    if (reason !== undefined) throw new InvalidNameError(reason, bytes.subarray(start, end));
    const offset = allocator.copy(bytes, start, end);
    return new PathComponent(allocator.block, offset, end - start);
  }

  /**
   * The name with the UTF-8 bytes of `text`.
   *
   * @throws {@link InvalidNameError}
   */
  static parse(text: string): PathComponent {
    return PathComponent.fromBytes(toUtf8(text));
  }

  /** Bytes of the name: a copy. */
  toBytes(): Uint8Array {
    const copy = new Uint8Array(this.byteLength);
    this.writeTo(copy, 0);
    return copy;
  }

  /** Writes the name to `target` at `offset`. */
  writeTo(target: Uint8Array, offset: number): void {
    for (let i = 0; i < this.byteLength; i++) {
      target[offset + i] = this.#block[this.#start + i] as number;
    }
  }

  /** A string for `Map` and `Set`, equal for equal names. Not for display. */
  get key(): string {
    this.#key ??= toLatin1(this.#view());
    return this.#key;
  }

  compare(other: PathComponent): number {
    return compareByteRanges(
      this.#block,
      this.#start,
      this.byteLength,
      other.#block,
      other.#start,
      other.byteLength,
    );
  }

  equals(other: PathComponent): boolean {
    return this.compare(other) === 0;
  }

  /** The name for people: escaped where it is not printable UTF-8. */
  toString(): string {
    return escapeBytes(this.#view());
  }

  #view(): Uint8Array {
    return this.#block.subarray(this.#start, this.#start + this.byteLength);
  }
}

function invalidNameReason(
  bytes: Uint8Array,
  start: number,
  end: number,
): InvalidNameReason | undefined {
  const length = end - start;
  if (length <= 0) return "empty";
  if (length <= 2 && bytes[start] === DOT && bytes[end - 1] === DOT) {
    return length === 2 ? "parent" : "current";
  }
  if (length > MAX_NAME_LENGTH) return "too-long";
  let hasSlash = false;
  for (let i = start; i < end; i++) {
    if (bytes[i] === 0) return "nul";
    if (bytes[i] === SLASH) hasSlash = true;
  }
  return hasSlash ? "slash" : undefined;
}
