import { createHash as createNodeHash } from "node:crypto";
import type { Sha256 } from "./sha256.js";

/** SHA-256 by the OpenSSL in Node: 1.9 GB/s where the processor has instructions for it. */
export function createHash(): Sha256 {
  const hash = createNodeHash("sha256");
  return {
    update(bytes) {
      hash.update(bytes);
      return this;
    },
    // A Buffer would come back; no Buffer crosses a module boundary.
    digest: () => new Uint8Array(hash.digest()),
  };
}
