import { describe, expect, it } from "vitest";
import { rotate, summarize } from "./statistics.js";

describe("summarize()", () => {
  it.each([
    { values: [3], expected: { median: 3, min: 3, max: 3 } },
    { values: [10, 2, 1], expected: { median: 2, min: 1, max: 10 } },
    { values: [4, 1, 3, 2], expected: { median: 2.5, min: 1, max: 4 } },
    { values: [100, 20, 3], expected: { median: 20, min: 3, max: 100 } },
  ])("of $values", ({ values, expected }) => {
    expect(summarize(values)).toEqual(expected);
  });

  it("leaves its input as it was", () => {
    const values = [2, 1];
    summarize(values);
    expect(values).toEqual([2, 1]);
  });

  it.each([{ values: [] }, { values: [1, Number.NaN] }])("refuses $values", ({ values }) => {
    expect(() => summarize(values)).toThrow(RangeError);
  });
});

describe("rotate()", () => {
  it("lets everyone be first once", () => {
    const items = ["a", "b", "c"];
    expect([0, 1, 2, 3].map((by) => rotate(items, by).join(""))).toEqual([
      "abc",
      "bca",
      "cab",
      "abc",
    ]);
  });

  it("of nothing is nothing", () => {
    expect(rotate([], 5)).toEqual([]);
  });
});
