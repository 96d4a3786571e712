/**
 * Compares as unsigned bytes, the order of names in a Directory and in a NAR.
 *
 * @returns negative, zero or positive, like a comparator for `sort`
 */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.byteLength, b.byteLength);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.byteLength - b.byteLength;
}

/** {@link compareBytes} of `aLength` bytes of `a` from `aStart` with as many of `b`. */
export function compareByteRanges(
  a: Uint8Array,
  aStart: number,
  aLength: number,
  b: Uint8Array,
  bStart: number,
  bLength: number,
): number {
  const length = Math.min(aLength, bLength);
  for (let i = 0; i < length; i++) {
    const difference = (a[aStart + i] as number) - (b[bStart + i] as number);
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** Whether both hold the same bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && compareBytes(a, b) === 0;
}

/** Joins the parts into one new array. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.byteLength;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.byteLength;
  }
  return joined;
}

/** Parts of these lengths, one behind the other, that share the memory of `bytes`. */
export function splitBytes(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return bytes.subarray(end - length, end);
  });
}

/** The same memory as a plain Uint8Array: what Node and its libraries give may be a Buffer. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (Object.getPrototypeOf(bytes) === Uint8Array.prototype) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A copy that shares no memory with `bytes`. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return copy;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Lower-case hexadecimal text. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** Standard padded base64 text. */
export function toBase64(bytes: Uint8Array): string {
  return btoa(toLatin1(bytes));
}

/** Few enough to be arguments of one call on any engine. */
const LATIN1_PART = 4096;

/** One character a byte: a string that can key a `Map` and that sorts like the bytes. */
export function toLatin1(bytes: Uint8Array): string {
  // Without a view: for a short array that would cost more than the text.
  if (bytes.byteLength <= LATIN1_PART) {
    const whole: ArrayLike<number> = bytes;
    return String.fromCharCode.apply(null, whole as number[]);
  }
  let text = "";
  for (let i = 0; i < bytes.byteLength; i += LATIN1_PART) {
    const part: ArrayLike<number> = bytes.subarray(i, i + LATIN1_PART);
    text += String.fromCharCode.apply(null, part as number[]);
  }
  return text;
}

const textEncoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Control characters, quotes, backslashes, line separators, and marks that turn text around. */
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not get through
  /[\x00-\x1f\x7f-\x9f\\"\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** UTF-8 bytes of `text`. */
export function toUtf8(text: string): Uint8Array {
  return textEncoder.encode(text);
}

/**
 * Text for people from bytes that are usually UTF-8: control characters, quotes, backslashes and
 * whatever is not UTF-8 come out as escapes, so that a name can neither break a line nor drive a
 * terminal.
 */
export function escapeBytes(bytes: Uint8Array): string {
  let text: string;
  try {
    text = strictDecoder.decode(bytes);
  } catch {
    text = "";
    for (const byte of bytes) {
      text +=
        byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
          ? String.fromCharCode(byte)
          : `\\x${HEX[byte]}`;
    }
    return text;
  }
  return text.replace(UNSAFE, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${HEX[code]}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
