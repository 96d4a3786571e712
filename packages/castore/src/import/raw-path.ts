import fs from "node:fs";
import path from "node:path";
import { ImportError, importError } from "./import-error.js";

/**
 * Paths while a tree is walked: strings with one character a byte. Names are bytes and need not be
 * UTF-8; this form keeps every one of them, sorts like the bytes, and is the path itself wherever it
 * is ASCII, which spares a Buffer for nearly every file.
 */
export type RawPath = string;

const NOT_ASCII = /[\x80-\xff]/;

/**
 * The absolute form of a path that was given as text or bytes. Without trailing slashes: a link is
 * itself, however its path ends. `..` takes away the name before it, also where that is a link.
 *
 * @throws {@link ImportError} for an empty path, which the system does not know either, and for one
 *   with a NUL byte
 */
export function toRawPath(given: string | Uint8Array): RawPath {
  const raw = Buffer.from(given as Uint8Array).toString("latin1");
  if (raw === "") throw ImportError.at("not-found", raw, "the path is empty");
  if (raw.includes("\0")) throw ImportError.at("invalid", raw, "the path has a NUL byte");
  return raw.startsWith("/") ? path.resolve(raw) : path.resolve(currentDirectory(raw), raw);
}

/** Unlike `process.cwd()` right for names that are not UTF-8. */
function currentDirectory(given: RawPath): RawPath {
  try {
    return fs.realpathSync.native(".", "latin1");
  } catch (error) {
    throw importError(error, given);
  }
}

/** What to hand to `node:fs`. */
export function toFsPath(raw: RawPath): string | Buffer {
  return NOT_ASCII.test(raw) ? Buffer.from(raw, "latin1") : raw;
}

/** The key of a path in the stat cache: its bytes. */
export function rawPathBytes(raw: RawPath): Uint8Array {
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}
