import { describe, expect, it } from "vitest";
import { LineBudget } from "./line-budget.js";

describe("LineBudget.take()", () => {
  it("grants so many lines in a window, and tells how many it did not", () => {
    let now = 0;
    const budget = new LineBudget({ lines: 2, windowMs: 10, now: () => now });
    const takes = (count: number) => Array.from({ length: count }, () => budget.take());
    expect(takes(4).map(({ granted }) => granted)).toEqual([true, true, false, false]);
    now = 10;
    expect(takes(3)).toEqual([
      { granted: true, suppressed: 2 },
      { granted: true, suppressed: 0 },
      { granted: false, suppressed: 0 },
    ]);
    now = 20;
    expect(takes(1)).toEqual([{ granted: true, suppressed: 1 }]);
    now = 30;
    expect(takes(1)).toEqual([{ granted: true, suppressed: 0 }]);
  });
});
