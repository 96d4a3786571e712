import { blake3 as nobleBlake3 } from "@noble/hashes/blake3.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, toHex } from "../bytes.js";
import { groupValue, groupValues, MAX_GROUP_BYTES, parentValue } from "./tree-kernel.js";

/** Input of the official BLAKE3 test vectors: bytes 0 to 250 repeated. */
function officialInput(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i % 251);
}

// From test_vectors.json of the BLAKE3 authors (CC0): the first 32 bytes of "hash".
const OFFICIAL: readonly (readonly [number, string])[] = [
  [0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
  [1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"],
  [1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"],
  [1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"],
  [1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"],
];

describe("groupValue()", () => {
  it.each(OFFICIAL)("gives the published digest of %i bytes", (length, digest) => {
    expect(toHex(groupValue(officialInput(length), 0, true))).toBe(digest);
  });

  const lengths = [2, 63, 64, 65, 127, 128, 129, 2047, 2048, 2049, 3072, 3073, 4096, 4097, 5120];
  it.each([...lengths, 6145, 7168, 8193, 15_360, 16_383, 16_384, 31_744, 102_400, MAX_GROUP_BYTES])(
    "gives the digest of %i bytes that another implementation gives",
    (length) => {
      const input = officialInput(length);
      expect(toHex(groupValue(input, 0, true))).toBe(toHex(nobleBlake3(input)));
    },
  );

  it("gives values that make up the digest of the whole", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 6 }),
        fc.integer({ min: 2, max: 30_000 }),
        (log, length) => {
          const bytes = 1024 * 2 ** log;
          fc.pre(length > bytes);
          const input = officialInput(length);
          expect(toHex(digestOfGroups(input, bytes))).toBe(toHex(nobleBlake3(input)));
        },
      ),
      { seed: 1, numRuns: 100 },
    );
  });

  it("counts chunks beyond 2^32", () => {
    const input = officialInput(4096);
    const far = groupValue(input, 2 ** 42, false);
    expect(toHex(far)).not.toBe(toHex(groupValue(input, 0, false)));
    expect(toHex(far)).not.toBe(toHex(groupValue(input, 2 ** 43, false)));
    const left = groupValue(input.subarray(0, 2048), 2 ** 42, false);
    const right = groupValue(input.subarray(2048), 2 ** 42 + 2048, false);
    expect(toHex(parentValue(concatBytes([left, right]), false))).toBe(toHex(far));
  });

  it("takes views of shared memory", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(9000)).subarray(3, 8003);
    shared.set(officialInput(8000));
    expect(toHex(groupValue(shared, 0, true))).toBe(toHex(nobleBlake3(officialInput(8000))));
  });

  it("leaves nothing behind for the next call", () => {
    const short = officialInput(1500);
    groupValue(new Uint8Array(MAX_GROUP_BYTES).fill(255), 0, false);
    expect(toHex(groupValue(short, 0, true))).toBe(toHex(nobleBlake3(short)));
  });

  it("refuses more than it has room for", () => {
    expect(() => groupValue(new Uint8Array(MAX_GROUP_BYTES + 1), 0, true)).toThrow(RangeError);
  });
});

describe("groupValues()", () => {
  it.each([
    [1024, 1],
    [1024, 7],
    [2048, 3],
    [16_384, 16],
    [16_384, 5],
  ])("gives what groupValue() gives for each of them: %i bytes, %i groups", (bytes, groups) => {
    const input = officialInput(bytes * groups);
    const start = bytes * 12;
    const expected = Array.from({ length: groups }, (_, i) =>
      groupValue(input.subarray(i * bytes, (i + 1) * bytes), start + i * bytes, false),
    );
    expect(toHex(groupValues(input, start, bytes))).toBe(toHex(concatBytes(expected)));
  });

  it("refuses parts of groups, and more than it has room for", () => {
    expect(() => groupValues(new Uint8Array(3000), 0, 2048)).toThrow(RangeError);
    expect(() => groupValues(new Uint8Array(MAX_GROUP_BYTES * 2), 0, 2048)).toThrow(RangeError);
  });
});

/** The digest from the values of groups, joined by the rule for trees itself: the left side is as full as it can be. */
function digestOfGroups(input: Uint8Array, groupBytes: number): Uint8Array {
  const subtree = (start: number, end: number, isRoot: boolean): Uint8Array => {
    if (end - start <= groupBytes) return groupValue(input.subarray(start, end), start, isRoot);
    let left = groupBytes;
    while (2 * left < end - start) left *= 2;
    const children = [subtree(start, start + left, false), subtree(start + left, end, false)];
    return parentValue(concatBytes(children), isRoot);
  };
  return subtree(0, input.byteLength, true);
}
