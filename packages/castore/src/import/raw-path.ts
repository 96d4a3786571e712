import path from "node:path";

/**
 * Paths while a tree is walked: strings with one character a byte. Names are bytes and need not be
 * UTF-8; this form keeps every one of them, sorts like the bytes, and is the path itself wherever it
 * is ASCII, which spares a Buffer for nearly every file.
 */
export type RawPath = string;

// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is meant
const ASCII = /^[\x00-\x7f]*$/;

/** The absolute form of a path that was given as text or bytes. */
export function toRawPath(given: string | Uint8Array): RawPath {
  const raw = Buffer.from(given as Uint8Array).toString("latin1");
  const cwd = Buffer.from(process.cwd()).toString("latin1");
  return path.resolve(cwd, raw);
}

/** What to hand to `node:fs`. */
export function toFsPath(raw: RawPath): string | Buffer {
  return ASCII.test(raw) ? raw : Buffer.from(raw, "latin1");
}

/** The key of a path in the stat cache: its bytes. */
export function rawPathBytes(raw: RawPath): Uint8Array {
  return new Uint8Array(Buffer.from(raw, "latin1"));
}
