import { escapeBytes, toUtf8 } from "@tvix/castore";
import { StoreError } from "./errors.js";
import { InvalidNixHashError } from "./nix-hash/text.js";
import { NixHash } from "./nix-hash.js";

/**
 * What a content-addressed store path is the address of.
 *
 * - `nar`: the NAR of the path ("recursive" in Nix).
 * - `flat`: the bytes of the one file that the path is.
 * - `text`: the bytes of a text file whose references take part in its address; SHA-256 always.
 */
export type ContentAddressMethod = "nar" | "flat" | "text";

/** The claim that a store path follows from its content, and the hash it follows from. */
export interface ContentAddress {
  readonly method: ContentAddressMethod;
  readonly hash: NixHash;
}

/** @throws {@link StoreError} with code "INVALID_ARGUMENT" for `text` with another hash than SHA-256 */
export function contentAddress(method: ContentAddressMethod, hash: NixHash): ContentAddress {
  if (method === "text" && hash.algorithm !== "sha256") {
    throw new StoreError(
      "INVALID_ARGUMENT",
      `Invalid content address: text is hashed with sha256, not with ${hash.algorithm}`,
    );
  }
  return { method, hash };
}

const PREFIXES: Readonly<Record<ContentAddressMethod, string>> = {
  nar: "fixed:r:",
  flat: "fixed:",
  text: "text:",
};

const METHODS = ["nar", "flat", "text"] as const;

/** The text form in Nix: `fixed:r:sha256:<nixbase32>`, `fixed:md5:...`, `text:sha256:...`. */
export function formatContentAddress(address: ContentAddress): string {
  return PREFIXES[address.method] + address.hash.toString();
}

/** Which part of a text is wrong: what comes before the hash, or the hash. */
export type InvalidContentAddressReason = "method" | "hash";

/** A text that is not a content address. */
export class InvalidContentAddressError extends StoreError {
  override readonly name: string = "InvalidContentAddressError";
  readonly reason: InvalidContentAddressReason;

  constructor(
    reason: InvalidContentAddressReason,
    text: string,
    why: string,
    options?: ErrorOptions,
  ) {
    const shown = escapeBytes(toUtf8(text.slice(0, 200)));
    super("INVALID_ARGUMENT", `Invalid content address "${shown}": ${why}`, options);
    this.reason = reason;
  }
}

/**
 * Reads what {@link formatContentAddress} writes. As in Nix, the hash may also be hexadecimal or
 * base64.
 *
 * @throws {@link InvalidContentAddressError}
 */
export function parseContentAddress(text: string): ContentAddress {
  // The longer prefix comes first: "fixed:" starts "fixed:r:" too.
  const method = METHODS.find((candidate) => text.startsWith(PREFIXES[candidate]));
  if (method === undefined) {
    throw new InvalidContentAddressError("method", text, "it starts with neither text: nor fixed:");
  }
  const encoded = text.slice(PREFIXES[method].length);
  // A hash that names its algorithm as SRI does is no part of this grammar.
  if (!encoded.includes(":")) {
    throw new InvalidContentAddressError("hash", text, "expected <algorithm>:<digest> at its end");
  }
  try {
    const wanted = method === "text" ? ({ algorithm: "sha256" } as const) : {};
    return contentAddress(method, NixHash.parse(encoded, wanted));
  } catch (cause) {
    if (!(cause instanceof InvalidNixHashError)) throw cause;
    throw new InvalidContentAddressError("hash", text, "its hash is invalid", { cause });
  }
}

/** Whether both make the same claim. */
export function equalContentAddresses(a: ContentAddress, b: ContentAddress): boolean {
  return a.method === b.method && a.hash.equals(b.hash);
}
