/**
 * What keys and signatures have in common as texts: `<key name>:<base64>`.
 *
 * Nix takes any name that is not empty and has no colon. We refuse what could not be used or could
 * do harm: lists of keys are split at white space, and a line break in a name would add lines to
 * whatever the text is put into. Names with `/` or `@` are in use.
 */
import { escapeBytes, toBase64, toUtf8 } from "@tvix/castore";
import { StoreError } from "../errors.js";

/** Longest name of a key; far beyond any in use. */
export const MAX_KEY_NAME_LENGTH = 255;

/** Which rule a text breaks; "key-pair" is a secret key whose two halves do not belong together. */
export type InvalidKeyReason = "no-colon" | "name" | "base64" | "length" | "key-pair";

/**
 * A text that is not a signature, a public key or a secret key. No message of it contains anything
 * but the name, since what follows may be secret; and of what should be a secret key, which may be
 * another secret altogether, nothing.
 */
export class InvalidKeyError extends StoreError {
  override readonly name: string = "InvalidKeyError";
  readonly reason: InvalidKeyReason;

  constructor(reason: InvalidKeyReason, what: KeyTextKind, why: string) {
    super("INVALID_ARGUMENT", `Invalid ${what}: ${why}`);
    this.reason = reason;
  }
}

/** What a text is meant to be. */
export type KeyTextKind = "signature" | "public key" | "secret key" | "key name";

const NAME_RULE = `a key name is 1 to ${MAX_KEY_NAME_LENGTH} characters of ASCII other than colons, spaces and controls`;

/** Whether keys may have that name. */
export function isKeyName(name: string): boolean {
  return name.length <= MAX_KEY_NAME_LENGTH && /^[!-9;-~]+$/.test(name);
}

/**
 * Returns `name`.
 *
 * @throws {@link InvalidKeyError} with reason "name"
 * @internal
 */
export function checkKeyName(name: string, what: KeyTextKind = "key name"): string {
  if (isKeyName(name)) return name;
  const shown =
    what === "secret key" ? "its name" : `the name "${escapeBytes(toUtf8(name.slice(0, 100)))}"`;
  throw new InvalidKeyError("name", what, `${shown} is not allowed; ${NAME_RULE}`);
}

/**
 * Splits a text.
 *
 * @param length - of the bytes behind the colon
 * @throws {@link InvalidKeyError}
 * @internal
 */
export function parseKeyText(
  text: string,
  what: KeyTextKind,
  length: number,
): { readonly keyName: string; readonly bytes: Uint8Array } {
  const colon = text.indexOf(":");
  if (colon === -1) {
    throw new InvalidKeyError("no-colon", what, "there is no colon after its name");
  }
  const keyName = checkKeyName(text.slice(0, colon), what);
  const encoded = text.slice(colon + 1);
  const subject =
    what === "secret key" ? "what follows its name" : `what follows the name "${keyName}"`;
  if (encoded.length !== 4 * Math.ceil(length / 3)) {
    const why = `${subject} has ${encoded.length} characters, which is not base64 of ${length} bytes`;
    throw new InvalidKeyError("length", what, why);
  }
  const bytes = decodeBase64(encoded);
  if (bytes?.byteLength !== length) {
    throw new InvalidKeyError("base64", what, `${subject} is not base64 of ${length} bytes`);
  }
  return { keyName, bytes };
}

/** `undefined` for any but the canonical spelling. */
function decodeBase64(encoded: string): Uint8Array | undefined {
  if (!/^[0-9A-Za-z+/]*={0,2}$/.test(encoded)) return undefined;
  const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  return toBase64(bytes) === encoded ? bytes : undefined;
}
