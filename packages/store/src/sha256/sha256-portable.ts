import { sha256 } from "@noble/hashes/sha2.js";
import type { Sha256 } from "./sha256.js";

/** SHA-256 in JavaScript, for browsers and other runtimes. */
export function createHash(): Sha256 {
  const hash = sha256.create();
  return {
    update(bytes) {
      hash.update(bytes);
      return this;
    },
    digest: () => hash.digest(),
  };
}
