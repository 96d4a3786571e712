import { createCipheriv, createHash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";

/** `length` bytes that depend on nothing but `seed`, and do not compress. */
export function seededBytes(seed: string, length: number): Uint8Array {
  const key = createHash("sha256").update(seed).digest();
  const cipher = createCipheriv("aes-256-ctr", key, new Uint8Array(16));
  return Uint8Array.from(cipher.update(new Uint8Array(length)));
}

/** How much is made and written at once. */
const BLOCK_BYTES = 8 * 1024 * 1024;

/**
 * Writes a new file of {@link seededBytes}.
 *
 * @param onBytes - is shown all of them, in order
 */
export function writeSeededFile(
  file: string,
  { seed, length }: { readonly seed: string; readonly length: number },
  onBytes: (bytes: Uint8Array) => void = () => {},
): void {
  const fd = openSync(file, "wx");
  try {
    for (let at = 0; at < length; at += BLOCK_BYTES) {
      const block = seededBytes(`${seed} ${at}`, Math.min(BLOCK_BYTES, length - at));
      onBytes(block);
      writeSync(fd, block);
    }
  } finally {
    closeSync(fd);
  }
}
