import { createHash, type Hash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";

/** How much is read at once. */
const BLOCK_BYTES = 8 * 1024 * 1024;

/** SHA-256 of a file of any length. */
export function sha256OfFile(file: string): Uint8Array {
  const hash: Hash = createHash("sha256");
  const block = new Uint8Array(BLOCK_BYTES);
  const fd = openSync(file, "r");
  try {
    for (let length = -1; length !== 0; ) {
      length = readSync(fd, block);
      hash.update(block.subarray(0, length));
    }
  } finally {
    closeSync(fd);
  }
  return Uint8Array.from(hash.digest());
}
