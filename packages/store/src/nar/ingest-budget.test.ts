import { describe, expect, it } from "vitest";
import { IngestBudget } from "./ingest-budget.js";

const MIB = 1024 * 1024;

describe("IngestBudget", () => {
  it("lets one have what it may as long as all have little", () => {
    const budget = new IngestBudget();
    budget.add(64 * MIB);
    expect(budget.isTight).toBe(false);
    expect(budget.mustWait(24 * MIB, 24 * MIB)).toBe(false);
    expect(budget.mustWait(24 * MIB + 1, 24 * MIB)).toBe(true);
  });

  it("leaves a little to each when all have much, until they have less", () => {
    const budget = new IngestBudget();
    budget.add(64 * MIB + 1);
    expect(budget.isTight).toBe(true);
    expect(budget.mustWait(256 * 1024, 24 * MIB)).toBe(false);
    expect(budget.mustWait(256 * 1024 + 1, 24 * MIB)).toBe(true);
    budget.add(-1);
    expect(budget.mustWait(256 * 1024 + 1, 24 * MIB)).toBe(false);
  });
});
