import { createHash as createNodeHash } from "node:crypto";
import type { HashAlgorithm } from "./algorithm.js";
import type { Hasher } from "./hasher.js";

/** Hashes by the OpenSSL in Node, which knows the algorithms by the names they have in Nix. */
export function createHash(algorithm: HashAlgorithm): Hasher {
  const hash = createNodeHash(algorithm);
  return {
    update(bytes) {
      hash.update(bytes);
      return this;
    },
    // A Buffer would come back; no Buffer crosses a module boundary.
    digest: () => new Uint8Array(hash.digest()),
  };
}
