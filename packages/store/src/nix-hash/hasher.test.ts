import { toHex, toUtf8 } from "@tvix/castore";
import { describe, expect, it } from "vitest";
import type { HashAlgorithm } from "./algorithm.js";
import { createHasher } from "./hasher.js";
import { createHash as createNodeHash } from "./hasher-node.js";
import { createHash as createPortableHash } from "./hasher-portable.js";

/** "abc" in RFC 1321 and FIPS 180-4. */
const VECTORS: readonly (readonly [HashAlgorithm, string])[] = [
  ["md5", "900150983cd24fb0d6963f7d28e17f72"],
  ["sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"],
  ["sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  [
    "sha512",
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  ],
];

describe.each([
  ["node", createNodeHash],
  ["portable", createPortableHash],
  ["createHasher()", createHasher],
] as const)("hasher: %s", (_, create) => {
  it.each(VECTORS)("computes %s of pieces", (algorithm, hex) => {
    const hasher = create(algorithm).update(toUtf8("a")).update(toUtf8("")).update(toUtf8("bc"));
    const digest = hasher.digest();
    expect(toHex(digest)).toBe(hex);
    expect(Object.getPrototypeOf(digest)).toBe(Uint8Array.prototype);
  });
});
