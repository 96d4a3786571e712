import { describe, expect, it } from "vitest";
import { startAhead } from "./start-ahead.js";

const signal = new AbortController().signal;

describe("startAhead()", () => {
  it("gives results in order, however long each takes, and begins no more than it may", async () => {
    const log: string[] = [];
    const ends = new Map<number, () => void>();
    const work = (item: number) =>
      new Promise<number>((resolve) => {
        log.push(`begin ${item}`);
        ends.set(item, () => resolve(item * 10));
        // The second ends before the first.
        if (item === 2) ends.get(1)?.();
        if (item !== 1) ends.get(item)?.();
      });
    const results: number[] = [];
    for await (const result of startAhead([1, 2, 3, 4], work, { lanes: 2, signal })) {
      results.push(result);
      log.push(`got ${result}`);
    }
    expect(results).toEqual([10, 20, 30, 40]);
    expect(log.slice(0, 4)).toEqual(["begin 1", "begin 2", "got 10", "begin 3"]);
  });

  it("throws the first failure in order, when what had begun has ended", async () => {
    const ended: string[] = [];
    const work = async (item: string, _: unknown, call: AbortSignal) => {
      if (item === "bad") throw new Error("bad");
      if (item === "later") {
        await new Promise((resolve) => call.addEventListener("abort", resolve, { once: true }));
        ended.push(item);
      }
      return item;
    };
    const results: string[] = [];
    const all = async () => {
      for await (const result of startAhead(["good", "bad", "later"], work, { lanes: 3, signal })) {
        results.push(result);
      }
    };
    await expect(all()).rejects.toThrow("bad");
    expect([results, ended]).toEqual([["good"], ["later"]]);
  });

  it("tells each when it is the first", async () => {
    const seen: boolean[] = [];
    const work = async (_: number, turn: { isFirst: boolean }) => {
      await Promise.resolve();
      seen.push(turn.isFirst);
    };
    for await (const _ of startAhead([1, 2], work, { lanes: 2, signal }));
    expect(seen).toEqual([true, false]);
  });
});
