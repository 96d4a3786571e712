import { describe, expect, it } from "vitest";
import { resolveRange } from "./byte-range.js";

describe("resolveRange()", () => {
  it.each([
    [10, undefined, 0, 10],
    [10, {}, 0, 10],
    [10, { offset: 3 }, 3, 10],
    [10, { length: 3 }, 0, 3],
    [10, { offset: 3, length: 4 }, 3, 7],
    [10, { offset: 3, length: 7 }, 3, 10],
    [10, { offset: 3, length: 8 }, 3, 10],
    [10, { offset: 9, length: Number.MAX_SAFE_INTEGER }, 9, 10],
    [10, { offset: 10 }, 10, 10],
    [10, { offset: 5, length: 0 }, 5, 5],
    [0, undefined, 0, 0],
    [0, { offset: 0, length: 5 }, 0, 0],
  ])("of %s bytes, %o is %s to %s", (size, range, start, end) => {
    expect(resolveRange(size, range)).toEqual({ start, end });
  });

  it.each([
    [10, { offset: 11 }],
    [0, { offset: 1 }],
    [10, { offset: -1 }],
    [10, { length: -1 }],
    [10, { offset: 1.5 }],
    [10, { length: Number.NaN }],
    [10, { offset: Number.POSITIVE_INFINITY }],
    [10, { length: Number.POSITIVE_INFINITY }],
    [10, { offset: 2 ** 53 }],
  ])("of %s bytes, refuses %o", (size, range) => {
    expect(() => resolveRange(size, range)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });
});
