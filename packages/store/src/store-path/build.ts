/**
 * How a store path follows from what it holds:
 *
 *     digest = fold(sha256(type ":sha256:" hex(inner) ":/nix/store:" name))
 *
 *     what                        type                              inner
 *     NAR hashed with SHA-256     source (":" reference)* [":self"] the hash
 *     any other NAR, any file     output:out                        sha256("fixed:out:" ["r:"] algorithm ":" hex(hash) ":")
 *     text                        text (":" reference)*             the hash
 *
 * `fold` XORs byte i of the hash into byte i mod 20. References are absolute paths in byte order,
 * each once.
 */
import { toHex, toUtf8 } from "@tvix/castore";
import type { ContentAddress } from "../content-address.js";
import { StoreError } from "../errors.js";
import { sha256 } from "../sha256/sha256.js";
import {
  parseStorePathName,
  STORE_DIR,
  STORE_PATH_DIGEST_LENGTH,
  StorePath,
} from "./store-path.js";

/** What else takes part in the address of a path. */
export interface BuildStorePathOptions {
  /** Store paths that the content refers to, in any order. None by default. */
  readonly references?: readonly StorePath[];
  /** Whether the content refers to its own path; false by default. */
  readonly selfReference?: boolean;
}

/**
 * The store path of that name for what `address` is the hash of.
 *
 * @throws {@link InvalidStorePathError} when the name breaks the rule
 * @throws {@link StoreError} with code "INVALID_ARGUMENT" when there are references of a kind that
 *   the address leaves no room for
 */
export function buildStorePath(
  name: string,
  address: ContentAddress,
  options: BuildStorePathOptions = {},
): StorePath {
  const { references = [], selfReference = false } = options;
  const { method, hash } = address;
  const recursiveSha256 = method === "nar" && hash.algorithm === "sha256";
  if (selfReference && !recursiveSha256) {
    throw refusal(name, "only what is addressed by the SHA-256 of its NAR can refer to itself");
  }
  if (recursiveSha256) return build("source", references, selfReference, hash.toBytes(), name);
  if (method === "text") return build("text", references, false, hash.toBytes(), name);
  if (references.length > 0) {
    throw refusal(name, `${method} content addressed by ${hash.algorithm} can have no references`);
  }
  const recursive = method === "nar" ? "r:" : "";
  const fixed = `fixed:out:${recursive}${hash.algorithm}:${toHex(hash.toBytes())}:`;
  return build("output:out", [], false, sha256(toUtf8(fixed)), name);
}

function build(
  kind: string,
  references: readonly StorePath[],
  selfReference: boolean,
  inner: Uint8Array,
  name: string,
): StorePath {
  parseStorePathName(name);
  // The texts are ASCII, for which the order of code units is that of bytes.
  const texts = [...new Set(references.map(String))].sort();
  const type = [kind, ...texts, ...(selfReference ? ["self"] : [])].join(":");
  const fingerprint = `${type}:sha256:${toHex(inner)}:${STORE_DIR}:${name}`;
  return StorePath.of(fold(sha256(toUtf8(fingerprint))), name);
}

/** Shortens a hash to the length of the digest in a store path. */
function fold(hash: Uint8Array): Uint8Array {
  const folded = new Uint8Array(STORE_PATH_DIGEST_LENGTH);
  hash.forEach((byte, i) => {
    const at = i % STORE_PATH_DIGEST_LENGTH;
    folded[at] = (folded[at] as number) ^ byte;
  });
  return folded;
}

function refusal(name: string, why: string): StoreError {
  return new StoreError("INVALID_ARGUMENT", `Cannot build a store path for "${name}": ${why}`);
}
