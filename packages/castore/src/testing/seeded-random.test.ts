import { describe, expect, it } from "vitest";
import { blake3 } from "../hasher/blake3.js";
import { SeededRandom, seededBytes } from "./seeded-random.js";

describe("seededBytes()", () => {
  it("are the same for ever", () => {
    // Tests elsewhere keep digests of trees that are made of these bytes.
    expect(blake3(seededBytes(1, 100_001)).toHex()).toBe(
      "980bf2e1354d6bad78e576414a8016ecbf3dc4a80ab3366ed62bb418ac416c53",
    );
  });

  it("differ by seed and begin alike whatever the length", () => {
    expect(seededBytes(1, 8)).not.toEqual(seededBytes(2, 8));
    expect(seededBytes(1, 100).subarray(0, 64)).toEqual(seededBytes(1, 64));
    expect(seededBytes(1, 0)).toEqual(new Uint8Array(0));
  });
});

describe("SeededRandom", () => {
  it("stays below its limit and reaches all of it", () => {
    const random = new SeededRandom(3);
    const seen = new Set(Array.from({ length: 1000 }, () => random.below(7)));
    expect([...seen].toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("is spread evenly over the bytes", () => {
    const counts = new Array<number>(256).fill(0);
    for (const byte of seededBytes(4, 256_000)) counts[byte] = (counts[byte] as number) + 1;
    expect(Math.min(...counts)).toBeGreaterThan(800);
    expect(Math.max(...counts)).toBeLessThan(1200);
  });
});
