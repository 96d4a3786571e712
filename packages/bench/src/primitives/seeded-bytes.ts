import { createCipheriv, createHash } from "node:crypto";

/** `length` bytes that depend on nothing but `seed`, and do not compress. */
export function seededBytes(seed: string, length: number): Uint8Array {
  const key = createHash("sha256").update(seed).digest();
  const cipher = createCipheriv("aes-256-ctr", key, new Uint8Array(16));
  return Uint8Array.from(cipher.update(new Uint8Array(length)));
}
