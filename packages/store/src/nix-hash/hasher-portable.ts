import { md5, sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import type { HashAlgorithm } from "./algorithm.js";
import type { Hasher } from "./hasher.js";

const ALGORITHMS = { md5, sha1, sha256, sha512 } as const;

/** Hashes in JavaScript, for browsers and other runtimes. */
export function createHash(algorithm: HashAlgorithm): Hasher {
  const hash = ALGORITHMS[algorithm].create();
  return {
    update(bytes) {
      hash.update(bytes);
      return this;
    },
    digest: () => hash.digest(),
  };
}
