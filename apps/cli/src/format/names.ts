import { escapeBytes, toBase64 } from "@tvix/castore";

/**
 * A file name for people and for lines of text: bytes that would break the line, drive the terminal
 * or are not UTF-8 come out as `\xNN`, and so does the backslash.
 */
export function displayName(bytes: Uint8Array): string {
  // A double quote is harmless here: nothing is put in quotes.
  return escapeBytes(bytes).replaceAll("\\x22", '"');
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A byte string as JSON without loss: `{ [key]: text }` where the bytes are UTF-8, else
 * `{ [key + "Base64"]: base64 }`. Exactly one of the two is there.
 */
export function jsonBytes(key: string, bytes: Uint8Array): Record<string, string> {
  try {
    return { [key]: strict.decode(bytes) };
  } catch {
    return { [`${key}Base64`]: toBase64(bytes) };
  }
}
