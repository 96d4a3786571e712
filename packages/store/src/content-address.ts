import { StoreError } from "./errors.js";
import type { NixHash } from "./nix-hash.js";

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

/** The text form in Nix: `fixed:r:sha256:<nixbase32>`, `fixed:md5:...`, `text:sha256:...`. */
export function formatContentAddress(address: ContentAddress): string {
  return PREFIXES[address.method] + address.hash.toString();
}

/** Whether both make the same claim. */
export function equalContentAddresses(a: ContentAddress, b: ContentAddress): boolean {
  return a.method === b.method && a.hash.equals(b.hash);
}
