import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, toHex } from "./bytes.js";
import { B3Digest, DIGEST_LENGTH, joinDigests, splitDigests } from "./digest.js";
import { CastoreError } from "./errors.js";

const BYTES = Uint8Array.from({ length: DIGEST_LENGTH }, (_, i) => 255 - i);
const DIGEST = B3Digest.fromBytes(BYTES);
const EMPTY_TEXT = "rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=";
const EMPTY_HEX = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

describe("B3Digest.fromBytes()", () => {
  it.each([0, 31, 33, 64])("refuses %s bytes", (length) => {
    expect(() => B3Digest.fromBytes(new Uint8Array(length))).toThrow(
      `Invalid digest length: expected 32 bytes, got ${length}`,
    );
  });

  it("keeps what the bytes were", () => {
    const bytes = BYTES.slice();
    const digest = B3Digest.fromBytes(bytes);
    bytes.fill(0);
    digest.toBytes().fill(0);
    expect(digest.equals(DIGEST)).toBe(true);
  });
});

describe("B3Digest.fromRange()", () => {
  it("takes what lies in the middle", () => {
    const around = concatBytes([Uint8Array.of(1), BYTES, Uint8Array.of(2)]);
    expect(B3Digest.fromRange(around, 1, 33).equals(DIGEST)).toBe(true);
    expect(() => B3Digest.fromRange(around, 1, 32)).toThrow(CastoreError);
  });
});

describe("B3Digest.parse()", () => {
  it.each([`b3:${EMPTY_TEXT}`, `blake3-${EMPTY_TEXT}`, EMPTY_HEX, EMPTY_HEX.toUpperCase()])(
    "reads %s",
    (text) => {
      expect(B3Digest.parse(text).toHex()).toBe(EMPTY_HEX);
    },
  );

  it.each([
    ["nothing", ""],
    ["base64 without prefix", EMPTY_TEXT],
    ["a prefix alone", "b3:"],
    ["another prefix", `sha256-${EMPTY_TEXT}`],
    ["no padding", `b3:${EMPTY_TEXT.slice(0, -1)}`],
    ["url base64", "b3:rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfM_-="],
    ["spare bits that are not zero", `b3:${EMPTY_TEXT.replace("mI=", "mJ=")}`],
    ["63 digits", EMPTY_HEX.slice(1)],
    ["a digit that is none", EMPTY_HEX.replace("a", "g")],
    ["a line end", `${EMPTY_HEX}\n`],
    ["space around", ` b3:${EMPTY_TEXT}`],
  ])("refuses %s", (_label, text) => {
    expect(() => B3Digest.parse(text)).toThrow(CastoreError);
  });

  it("reads what toString() and toHex() wrote", () => {
    return fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const digest = B3Digest.fromBytes(bytes);
        expect(B3Digest.parse(digest.toString()).equals(digest)).toBe(true);
        expect(B3Digest.parse(digest.toHex()).equals(digest)).toBe(true);
        expect(toHex(digest.toBytes())).toBe(digest.toHex());
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});

describe("B3Digest", () => {
  it("equals its own kind by content only", () => {
    expect(DIGEST.equals(B3Digest.fromBytes(BYTES))).toBe(true);
    for (let i = 0; i < DIGEST_LENGTH; i++) {
      const other = BYTES.slice();
      other[i] = (other[i] as number) ^ 1;
      expect(DIGEST.equals(B3Digest.fromBytes(other))).toBe(false);
      expect(DIGEST.equalsBytes(other)).toBe(false);
    }
  });

  it("equals bytes only when they are as many", () => {
    expect(DIGEST.equalsBytes(BYTES)).toBe(true);
    expect(DIGEST.equalsBytes(BYTES.subarray(1))).toBe(false);
    expect(DIGEST.equalsBytes(concatBytes([BYTES, BYTES]))).toBe(false);
  });

  it("writes its bytes where it is told, and only there", () => {
    const target = new Uint8Array(34);
    DIGEST.writeTo(target, 1);
    expect(target).toEqual(concatBytes([Uint8Array.of(0), BYTES, Uint8Array.of(0)]));
  });

  it("keys maps by content", () => {
    expect(B3Digest.fromBytes(BYTES).key).toBe(DIGEST.key);
    expect(B3Digest.fromBytes(new Uint8Array(32)).key).not.toBe(DIGEST.key);
  });

  it("is JSON as its text form", () => {
    expect(JSON.stringify({ digest: DIGEST })).toBe(`{"digest":"${DIGEST}"}`);
    expect(B3Digest.parse(EMPTY_HEX).toString()).toBe(`b3:${EMPTY_TEXT}`);
  });

  // They share memory: see BlockAllocator.
  it("stays what it is among thousands", () => {
    const digests = Array.from({ length: 5000 }, (_, i) => {
      const bytes = new Uint8Array(DIGEST_LENGTH);
      new DataView(bytes.buffer).setUint32(i % 28, i);
      return { bytes, digest: B3Digest.fromBytes(bytes) };
    });
    expect(digests.every(({ bytes, digest }) => digest.equalsBytes(bytes))).toBe(true);
  });
});

describe("splitDigests()", () => {
  it("takes apart what joinDigests() made", () => {
    const digests = [DIGEST, B3Digest.parse(EMPTY_HEX), DIGEST];
    const joined = joinDigests(digests);
    expect(joined.byteLength).toBe(3 * DIGEST_LENGTH);
    expect(splitDigests(joined).map(String)).toEqual(digests.map(String));
    expect(splitDigests(joinDigests([]))).toEqual([]);
  });

  it("refuses one that is cut off", () => {
    const joined = joinDigests([DIGEST, DIGEST]);
    expect(() => splitDigests(joined.subarray(1))).toThrow(
      "Invalid digest length: expected 32 bytes, got 31",
    );
  });
});
