/** Percent-encoding (RFC 3986 §2.1) of names that are bytes, not text. */

/** Everything but letters, digits, `-`, `.`, `_` and `~` is encoded. */
export function percentEncode(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += ENCODED[byte];
  return text;
}

const ENCODED: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (/[A-Za-z0-9._~-]/.test(character)) return character;
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
});

/**
 * The bytes that a part of a raw path stands for; `undefined` when a percent sign in it has no two hexadecimal digits
 * behind it. Bytes that should have been encoded stand for themselves: Node gives those as Latin-1.
 */
export function percentDecode(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff) return undefined;
    if (code !== PERCENT) {
      bytes[length++] = code;
      continue;
    }
    const digits = text.slice(i + 1, i + 3);
    if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return undefined;
    bytes[length++] = Number.parseInt(digits, 16);
    i += 2;
  }
  return bytes.subarray(0, length);
}

const PERCENT = 0x25;
