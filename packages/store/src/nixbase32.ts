/**
 * nixbase32, the text form of digests in Nix.
 *
 * The bytes are read as one little-endian number, which is written from its most significant group
 * of five bits down. n bytes make ceil(8n/5) characters; the spare bits at the top are zero. The
 * alphabet lacks e, o, u and t. This is a kernel: short names, indices known to be in range.
 */
import { toLatin1 } from "@tvix/castore";
import { StoreError } from "./errors.js";

/** The characters by value; the order is that of ASCII, so texts of one length sort like numbers. */
export const NIXBASE32_ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz";

/** Which rule a text breaks. */
export type InvalidNixBase32Reason = "length" | "character" | "padding";

/** A text that is not nixbase32. */
export class InvalidNixBase32Error extends StoreError {
  override readonly name: string = "InvalidNixBase32Error";
  readonly reason: InvalidNixBase32Reason;
  /** Index of the offending character; `undefined` for a wrong length. */
  readonly position: number | undefined;

  constructor(reason: InvalidNixBase32Reason, text: string, position?: number) {
    super(
      "INVALID_ARGUMENT",
      `Invalid nixbase32 ${JSON.stringify(text.slice(0, 200))}: ${RULES[reason]}`,
    );
    this.reason = reason;
    this.position = position;
  }
}

const RULES: Record<InvalidNixBase32Reason, string> = {
  length: "no number of bytes has a text of this length",
  character: `only ${NIXBASE32_ALPHABET} may occur`,
  padding: "the spare bits of its first character are not zero",
};

const NOT_A_DIGIT = 0xff;
const VALUES = new Uint8Array(128).fill(NOT_A_DIGIT);
for (let value = 0; value < NIXBASE32_ALPHABET.length; value++) {
  VALUES[NIXBASE32_ALPHABET.charCodeAt(value)] = value;
}

/** Number of characters that `byteLength` bytes take. */
export function nixBase32Length(byteLength: number): number {
  return Math.ceil((byteLength * 8) / 5);
}

/** Writes `bytes` as nixbase32. */
export function encodeNixBase32(bytes: Uint8Array): string {
  const length = nixBase32Length(bytes.byteLength);
  // Codes make a flat text; characters joined one by one would be a chain of as many strings.
  const codes = new Uint8Array(length);
  for (let n = 0; n < length; n++) {
    const bit = n * 5;
    const i = bit >>> 3;
    const shift = bit & 7;
    const pair = (bytes[i] as number) | ((bytes[i + 1] ?? 0) << 8);
    codes[length - 1 - n] = NIXBASE32_ALPHABET.charCodeAt((pair >>> shift) & 0x1f);
  }
  return toLatin1(codes);
}

/**
 * Reads nixbase32, the whole text.
 *
 * @throws {@link InvalidNixBase32Error}
 */
export function decodeNixBase32(text: string): Uint8Array {
  const byteLength = Math.floor((text.length * 5) / 8);
  if (nixBase32Length(byteLength) !== text.length) throw new InvalidNixBase32Error("length", text);
  // Of its exact length: a view of something longer costs a buffer outside the heap.
  const bytes = new Uint8Array(byteLength);
  let spare = 0;
  for (let position = 0; position < text.length; position++) {
    const value = VALUES[text.charCodeAt(position)] ?? NOT_A_DIGIT;
    if (value === NOT_A_DIGIT) throw new InvalidNixBase32Error("character", text, position);
    const bit = (text.length - 1 - position) * 5;
    const i = bit >>> 3;
    const pair = value << (bit & 7);
    if (i < byteLength) bytes[i] = (bytes[i] as number) | (pair & 0xff);
    else spare |= pair;
    if (i + 1 < byteLength) bytes[i + 1] = (bytes[i + 1] as number) | (pair >>> 8);
    else spare |= pair >>> 8;
  }
  if (spare !== 0) throw new InvalidNixBase32Error("padding", text, 0);
  return bytes;
}
