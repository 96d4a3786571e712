import { describe, expect, it } from "vitest";
import { FillMemory } from "./fill-memory.js";

const MIB = 1024 * 1024;

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe("FillMemory", () => {
  it("has room for what is asked for", () => {
    const memory = new FillMemory();
    for (const bytes of [0, 1, MIB, MIB + 1, 5 * MIB]) {
      expect(memory.take(bytes).byteLength).toBeGreaterThanOrEqual(bytes);
    }
  });

  it("uses memory again, but not in the turn in which it was given back", async () => {
    const memory = new FillMemory();
    const first = memory.take(1000);
    memory.give(first);
    expect(memory.take(1000)).not.toBe(first);
    await Promise.resolve();
    expect(memory.take(1000)).not.toBe(first);
    await turn();
    expect(memory.take(MIB)).toBe(first);
    expect(memory.take(MIB)).not.toBe(first);
  });

  it("keeps a few, and none that is long", async () => {
    const memory = new FillMemory();
    const taken = Array.from({ length: 100 }, () => memory.take(MIB));
    const long = memory.take(MIB + 1);
    for (const one of [long, ...taken]) memory.give(one);
    await turn();
    const again = new Set(Array.from({ length: 100 }, () => memory.take(MIB)));
    expect(again.has(long)).toBe(false);
    expect(taken.filter((one) => again.has(one))).toHaveLength(16);
    expect(memory.take(MIB + 1)).not.toBe(long);
  });
});
