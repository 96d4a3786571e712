import { describe, expect, it } from "vitest";
import { fromHex } from "../testing/bytes.js";
import { createSha256, sha256 } from "./sha256.js";
import { createHash as createNodeHash } from "./sha256-node.js";
import { createHash as createPortableHash } from "./sha256-portable.js";

// FIPS 180-4 examples (NIST, "SHA256.pdf" and the long message of one million "a").
const VECTORS: readonly (readonly [string, Uint8Array, string])[] = [
  [
    "nothing",
    new Uint8Array(0),
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  ],
  [
    "abc",
    new TextEncoder().encode("abc"),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  ],
  [
    "a million a",
    new Uint8Array(1_000_000).fill(0x61),
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
  ],
];

describe.each([
  ["node", createNodeHash],
  ["portable", createPortableHash],
  ["createSha256()", createSha256],
] as const)("SHA-256: %s", (_, create) => {
  it.each(VECTORS)("hashes %s", (_name, bytes, hex) => {
    expect(create().update(bytes).digest()).toEqual(fromHex(hex));
  });

  it("gives the same digest however the bytes are cut", () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 0xff);
    const whole = create().update(bytes).digest();
    for (const size of [1, 63, 64, 65, 999]) {
      const hash = create();
      for (let i = 0; i < bytes.length; i += size) hash.update(bytes.subarray(i, i + size));
      expect(hash.update(new Uint8Array(0)).digest()).toEqual(whole);
    }
  });

  it("returns a plain array of 32 bytes", () => {
    const digest = create().digest();
    expect(Object.getPrototypeOf(digest)).toBe(Uint8Array.prototype);
    expect(digest.buffer.byteLength).toBe(32);
  });
});

describe("sha256()", () => {
  it.each(VECTORS)("hashes %s", (_name, bytes, hex) => {
    expect(sha256(bytes)).toEqual(fromHex(hex));
  });
});
