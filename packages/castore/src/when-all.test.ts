import { describe, expect, it } from "vitest";
import { whenAll } from "./when-all.js";

describe("whenAll()", () => {
  it("gives all results in their order", async () => {
    expect(await whenAll([Promise.resolve(1), Promise.resolve(2)])).toEqual([1, 2]);
    expect(await whenAll([])).toEqual([]);
  });

  it("fails with the first in their order, when all have ended", async () => {
    const ended: string[] = [];
    const work = async (name: string, turns: number): Promise<void> => {
      for (let i = 0; i < turns; i++) await Promise.resolve();
      ended.push(name);
      if (name !== "c") throw new Error(name);
    };
    await expect(whenAll([work("a", 3), work("b", 1), work("c", 5)])).rejects.toThrow("a");
    expect(ended).toEqual(["b", "a", "c"]);
  });
});
