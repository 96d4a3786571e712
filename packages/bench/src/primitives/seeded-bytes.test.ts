import { describe, expect, it } from "vitest";
import { seededBytes } from "./seeded-bytes.js";

describe("seededBytes()", () => {
  it("depends on the seed alone", () => {
    expect(seededBytes("a", 100)).toEqual(seededBytes("a", 100));
    expect(seededBytes("a", 100)).toEqual(seededBytes("a", 200).subarray(0, 100));
    expect(seededBytes("b", 100)).not.toEqual(seededBytes("a", 100));
  });

  it("has the length asked for", () => {
    expect(seededBytes("a", 0)).toHaveLength(0);
    expect(seededBytes("a", 12_345)).toHaveLength(12_345);
  });
});
