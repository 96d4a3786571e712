import { copyBytes, escapeBytes, toLatin1, toUtf8 } from "@tvix/castore";
import { StoreError } from "../errors.js";
import {
  decodeNixBase32,
  encodeNixBase32,
  InvalidNixBase32Error,
  nixBase32Length,
} from "../nixbase32.js";

/** Where store paths lie. It enters their digests, so only stores with the same one can share them. */
export const STORE_DIR = "/nix/store";

/** Length in bytes of the digest in a store path, the output hash. */
export const STORE_PATH_DIGEST_LENGTH = 20;

/** Longest name in a store path, in bytes: 255 less the digest, its dash and `.lock` and the like. */
export const MAX_STORE_PATH_NAME_LENGTH = 211;

/** Which rule a store path breaks; the order is that of the checks. */
export type InvalidStorePathReason =
  | "not-in-store-dir"
  | "too-short"
  | "digest"
  | "digest-length"
  | "no-dash"
  | "name-empty"
  | "name-too-long"
  | "name-character";

/** Something that is not a store path, or a name that no store path may have. */
export class InvalidStorePathError extends StoreError {
  override readonly name: string = "InvalidStorePathError";
  readonly reason: InvalidStorePathReason;
  /** Where in the base name, or in the name alone, the offending byte is, for "digest", "no-dash" and "name-character". */
  readonly position: number | undefined;

  constructor(
    reason: InvalidStorePathReason,
    message: string,
    options: ErrorOptions & { readonly position?: number } = {},
  ) {
    super("INVALID_ARGUMENT", message, options);
    this.reason = reason;
    this.position = options.position;
  }
}

const DIGEST_TEXT_LENGTH = nixBase32Length(STORE_PATH_DIGEST_LENGTH);
const DASH = "-";
const STORE_DIR_PREFIX = `${STORE_DIR}/`;

const NAME_RULE = `a store path name is 1 to ${MAX_STORE_PATH_NAME_LENGTH} of the characters 0-9 a-z A-Z + - . _ ? =`;

const NAME_BYTES = new Uint8Array(256);
for (const byte of toUtf8("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-._?=")) {
  NAME_BYTES[byte] = 1;
}

/** A path in the Nix store: a digest of {@link STORE_PATH_DIGEST_LENGTH} bytes and a name. */
export class StorePath {
  /** What follows the dash; ASCII. */
  readonly name: string;
  readonly #digest: Uint8Array;

  private constructor(digest: Uint8Array, name: string) {
    this.#digest = digest;
    this.name = name;
  }

  /**
   * Joins a digest, which is copied, and a name.
   *
   * @throws {@link InvalidStorePathError} with reason "digest-length" or one for the name
   */
  static of(digest: Uint8Array, name: string | Uint8Array): StorePath {
    if (digest.byteLength !== STORE_PATH_DIGEST_LENGTH) {
      throw new InvalidStorePathError(
        "digest-length",
        `Invalid store path digest: expected ${STORE_PATH_DIGEST_LENGTH} bytes, got ${digest.byteLength}`,
      );
    }
    return new StorePath(copyBytes(digest), parseStorePathName(name));
  }

  /**
   * Reads a base name, `<32 characters of nixbase32>-<name>`.
   *
   * @throws {@link InvalidStorePathError}
   */
  static parse(baseName: string | Uint8Array): StorePath {
    const bytes = toBytes(baseName);
    // Only needed where something is wrong, and dearer than all that is checked.
    const subject = () => `Invalid store path "${display(bytes)}"`;
    if (bytes.byteLength <= DIGEST_TEXT_LENGTH) {
      throw new InvalidStorePathError(
        "too-short",
        `${subject()}: expected ${DIGEST_TEXT_LENGTH} characters of nixbase32, a dash and a name`,
      );
    }
    const text = toLatin1(bytes);
    const digest = parseDigest(text.slice(0, DIGEST_TEXT_LENGTH), subject);
    if (text[DIGEST_TEXT_LENGTH] !== DASH) {
      throw new InvalidStorePathError(
        "no-dash",
        `${subject()}: expected a dash at position ${DIGEST_TEXT_LENGTH}`,
        { position: DIGEST_TEXT_LENGTH },
      );
    }
    const start = DIGEST_TEXT_LENGTH + DASH.length;
    checkName(bytes, start, subject);
    return new StorePath(digest, text.slice(start));
  }

  /**
   * Reads an absolute path, `/nix/store/<base name>`.
   *
   * @throws {@link InvalidStorePathError}
   */
  static parseAbsolute(path: string | Uint8Array): StorePath {
    const bytes = toBytes(path);
    if (toLatin1(bytes.subarray(0, STORE_DIR_PREFIX.length)) !== STORE_DIR_PREFIX) {
      throw new InvalidStorePathError(
        "not-in-store-dir",
        `Invalid store path "${display(bytes)}": expected it to start with ${STORE_DIR_PREFIX}`,
      );
    }
    return StorePath.parse(bytes.subarray(STORE_DIR_PREFIX.length));
  }

  /** Bytes of the digest, the output hash: a copy. */
  digestBytes(): Uint8Array {
    return copyBytes(this.#digest);
  }

  /** `<nixbase32>-<name>`: the name of the path in the store directory. */
  get baseName(): string {
    return encodeNixBase32(this.#digest) + DASH + this.name;
  }

  equals(other: StorePath): boolean {
    return this.baseName === other.baseName;
  }

  /** The absolute path. */
  toString(): string {
    return STORE_DIR_PREFIX + this.baseName;
  }

  toJSON(): string {
    return this.toString();
  }
}

/**
 * Reads the name part of a store path.
 *
 * @throws {@link InvalidStorePathError} whose message states the rule
 */
export function parseStorePathName(name: string | Uint8Array): string {
  const bytes = toBytes(name);
  checkName(bytes, 0, () => `Invalid store path name "${display(bytes)}"`);
  return toLatin1(bytes);
}

/** Checks the name that starts at `start` of `bytes`, which are what `subject()` speaks of. */
function checkName(bytes: Uint8Array, start: number, subject: () => string): void {
  const length = bytes.byteLength - start;
  if (length === 0) {
    throw new InvalidStorePathError("name-empty", `${subject()}: its name is empty; ${NAME_RULE}`);
  }
  if (length > MAX_STORE_PATH_NAME_LENGTH) {
    throw new InvalidStorePathError(
      "name-too-long",
      `${subject()}: its name is ${length} bytes long; ${NAME_RULE}`,
    );
  }
  for (let position = start; position < bytes.byteLength; position++) {
    if (NAME_BYTES[bytes[position] as number] === 1) continue;
    const offender = display(bytes.subarray(position, position + 1));
    throw new InvalidStorePathError(
      "name-character",
      `${subject()}: "${offender}" at position ${position} may not occur; ${NAME_RULE}`,
      { position },
    );
  }
}

function parseDigest(text: string, subject: () => string): Uint8Array {
  try {
    return decodeNixBase32(text);
  } catch (error) {
    if (!(error instanceof InvalidNixBase32Error)) throw error;
    const { position } = error;
    throw new InvalidStorePathError("digest", `${subject()}: its digest is not nixbase32`, {
      cause: error,
      ...(position === undefined ? {} : { position }),
    });
  }
}

/** UTF-8. Nearly all that comes here is short ASCII, for which a loop is faster than an encoder. */
function toBytes(text: string | Uint8Array): Uint8Array {
  if (typeof text !== "string") return text;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return toUtf8(text);
    bytes[i] = code;
  }
  return bytes;
}

/** For a message: no more of a hostile name than anyone wants to read. */
function display(bytes: Uint8Array): string {
  return escapeBytes(bytes.subarray(0, 300));
}
