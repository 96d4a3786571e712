/**
 * Text forms of hashes in Nix:
 *
 *     hash      = [ algorithm ":" ] ( hex | nixbase32 | base64 ) | sri
 *     sri       = algorithm "-" base64
 *     algorithm = "md5" | "sha1" | "sha256" | "sha512"
 *
 * Each encoding of a digest has a length of its own, which decides how it is read. Hexadecimal digits
 * may be of either case, as in Nix; base64 is padded, and only its canonical spelling is taken.
 */
import { escapeBytes, toBase64, toHex, toUtf8 } from "@tvix/castore";
import { StoreError } from "../errors.js";
import {
  decodeNixBase32,
  encodeNixBase32,
  InvalidNixBase32Error,
  nixBase32Length,
} from "../nixbase32.js";
import { HASH_LENGTHS, type HashAlgorithm, isHashAlgorithm } from "./algorithm.js";

/** How a digest is written. `sri` always names the algorithm, the others do where asked to. */
export type NixHashEncoding = "hex" | "nixbase32" | "base64" | "sri";

/** Which rule a text breaks. */
export type InvalidNixHashReason =
  | "missing-algorithm"
  | "unknown-algorithm"
  | "other-algorithm"
  | "length"
  | "character"
  | "padding";

/** A text that is not a hash, or not one of the algorithm that is wanted. */
export class InvalidNixHashError extends StoreError {
  override readonly name: string = "InvalidNixHashError";
  readonly reason: InvalidNixHashReason;

  constructor(reason: InvalidNixHashReason, text: string, why: string, options?: ErrorOptions) {
    super("INVALID_ARGUMENT", `Invalid hash "${display(text)}": ${why}`, options);
    this.reason = reason;
  }
}

/** A digest and what it was computed with. */
export interface HashParts {
  readonly algorithm: HashAlgorithm;
  readonly digest: Uint8Array;
}

/**
 * Reads any text form.
 *
 * @param wanted - algorithm of a text that names none; one that names another is refused
 * @throws {@link InvalidNixHashError}
 * @internal
 */
export function parseHashText(text: string, wanted?: HashAlgorithm): HashParts {
  const colon = text.indexOf(":");
  const separator = colon === -1 ? text.indexOf("-") : colon;
  if (separator === -1) {
    if (wanted === undefined) {
      throw new InvalidNixHashError("missing-algorithm", text, "it does not name its algorithm");
    }
    return { algorithm: wanted, digest: decodeDigest(text, text, wanted) };
  }
  const algorithm = text.slice(0, separator);
  if (!isHashAlgorithm(algorithm)) {
    const known = Object.keys(HASH_LENGTHS).join(", ");
    throw new InvalidNixHashError("unknown-algorithm", text, `its algorithm is none of ${known}`);
  }
  if (wanted !== undefined && wanted !== algorithm) {
    throw new InvalidNixHashError("other-algorithm", text, `expected one of ${wanted}`);
  }
  const encoded = text.slice(separator + 1);
  if (colon !== -1) return { algorithm, digest: decodeDigest(text, encoded, algorithm) };
  if (encoded.length !== base64Length(HASH_LENGTHS[algorithm])) {
    throw new InvalidNixHashError(
      "length",
      text,
      `base64 of ${algorithm} has ${base64Length(HASH_LENGTHS[algorithm])} characters, not ${encoded.length}`,
    );
  }
  return { algorithm, digest: decodeBase64(text, encoded, HASH_LENGTHS[algorithm]) };
}

/**
 * Writes a digest.
 *
 * @param named - whether the algorithm and a colon come first; SRI names it in its own way
 * @internal
 */
export function formatHashText(
  { algorithm, digest }: HashParts,
  encoding: NixHashEncoding,
  named: boolean,
): string {
  if (encoding === "sri") return `${algorithm}-${toBase64(digest)}`;
  return (named ? `${algorithm}:` : "") + ENCODERS[encoding](digest);
}

const ENCODERS: Readonly<Record<Exclude<NixHashEncoding, "sri">, (digest: Uint8Array) => string>> =
  {
    hex: toHex,
    nixbase32: encodeNixBase32,
    base64: toBase64,
  };

function base64Length(byteLength: number): number {
  return 4 * Math.ceil(byteLength / 3);
}

/** @param text - the whole, for messages */
function decodeDigest(text: string, encoded: string, algorithm: HashAlgorithm): Uint8Array {
  const length = HASH_LENGTHS[algorithm];
  switch (encoded.length) {
    case 2 * length:
      return decodeHex(text, encoded);
    case nixBase32Length(length):
      return decodeBase32(text, encoded);
    case base64Length(length):
      return decodeBase64(text, encoded, length);
    default:
      throw new InvalidNixHashError(
        "length",
        text,
        `no encoding of ${algorithm} has ${encoded.length} characters`,
      );
  }
}

function decodeHex(text: string, encoded: string): Uint8Array {
  if (!/^[0-9a-f]*$/i.test(encoded)) {
    throw new InvalidNixHashError("character", text, "it is not hexadecimal");
  }
  const digest = new Uint8Array(encoded.length / 2);
  for (let i = 0; i < digest.byteLength; i++) {
    digest[i] = Number.parseInt(encoded.slice(2 * i, 2 * i + 2), 16);
  }
  return digest;
}

function decodeBase32(text: string, encoded: string): Uint8Array {
  try {
    return decodeNixBase32(encoded);
  } catch (cause) {
    if (!(cause instanceof InvalidNixBase32Error)) throw cause;
    throw new InvalidNixHashError(cause.reason, text, "it is not nixbase32", { cause });
  }
}

function decodeBase64(text: string, encoded: string, byteLength: number): Uint8Array {
  if (!/^[0-9A-Za-z+/]*={0,2}$/.test(encoded)) {
    throw new InvalidNixHashError("character", text, "it is not base64");
  }
  const spelling = encoded.replace(/=+$/, "");
  const digest = Uint8Array.from(atob(spelling), (character) => character.charCodeAt(0));
  if (digest.byteLength !== byteLength || toBase64(digest) !== encoded) {
    throw new InvalidNixHashError("padding", text, `it is not the base64 of ${byteLength} bytes`);
  }
  return digest;
}

/** For a message: no more of a hostile text than anyone wants to read. */
function display(text: string): string {
  return escapeBytes(toUtf8(text.slice(0, 200)));
}
