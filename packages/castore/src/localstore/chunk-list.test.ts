import { describe, expect, it } from "vitest";
import { toHex } from "../bytes.js";
import { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { seededBytes } from "../testing/seeded-random.js";
import { decodeChunkList, encodeChunkList } from "./chunk-list.js";

const CHUNKS = [1, 262_144, 0xffff_ffff].map((size, i) => ({
  digest: B3Digest.fromBytes(seededBytes(i, 32)),
  size,
}));

describe("encodeChunkList()", () => {
  it("writes digest and size of each chunk", () => {
    const expected = ["01000000", "00000400", "ffffffff"].map(
      (size, i) => toHex(seededBytes(i, 32)) + size,
    );
    expect(toHex(encodeChunkList(CHUNKS))).toBe(expected.join(""));
  });
});

describe("decodeChunkList()", () => {
  it("gives back what was encoded, from any place in memory", () => {
    const encoded = encodeChunkList(CHUNKS);
    const elsewhere = new Uint8Array(encoded.byteLength + 3);
    elsewhere.set(encoded, 3);
    for (const bytes of [encoded, elsewhere.subarray(3)]) {
      const decoded = decodeChunkList(bytes);
      expect(decoded.map(({ size }) => size)).toEqual(CHUNKS.map(({ size }) => size));
      expect(decoded.map(({ digest }) => String(digest))).toEqual(
        CHUNKS.map(({ digest }) => String(digest)),
      );
    }
  });

  it.each([0, 1, 35, 37, 71, 107])("refuses %s bytes", (length) => {
    let error: unknown;
    try {
      decodeChunkList(new Uint8Array(length));
    } catch (thrown) {
      error = thrown;
    }
    expect(CastoreError.is(error, "CORRUPT")).toBe(true);
  });
});
