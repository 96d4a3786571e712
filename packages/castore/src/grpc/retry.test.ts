import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { retrying } from "./retry.js";

const DOWN = new ConnectError("not now", Code.Unavailable);

/** A policy whose waits are noted and over at once. */
function noted(delaysMs: readonly number[], random: number) {
  const waits: number[] = [];
  const clock = {
    now: () => 0,
    after: (milliseconds: number, fire: () => void) => {
      waits.push(milliseconds);
      queueMicrotask(fire);
      return () => {};
    },
  };
  return { waits, policy: { delaysMs, clock, random: () => random } };
}

/** Fails so often, and then succeeds. */
function failing(times: number, error: unknown = DOWN) {
  const calls = { made: 0 };
  const work = async (): Promise<string> => {
    if (calls.made++ < times) throw error;
    return "done";
  };
  return { calls, work };
}

describe("retrying()", () => {
  it.each([
    [0, [0, 50, 200]],
    [0.5, [0, 100, 400]],
    [0.99, [0, 149, 596]],
  ])("waits longer each time, by chance more or less: %f", async (random, expected) => {
    const { waits, policy } = noted([0, 100, 400], random);
    const { work } = failing(3);
    expect(await retrying(work, {}, policy)).toBe("done");
    expect(waits.map((wait) => Math.round(wait))).toEqual(expected);
  });

  it("gives up after the last wait, with the last failure", async () => {
    const { policy } = noted([0, 100], 0);
    const { work, calls } = failing(10);
    await expect(retrying(work, {}, policy)).rejects.toBe(DOWN);
    expect(calls.made).toBe(3);
  });

  it.each([new ConnectError("no", Code.Internal), new Error("no")])(
    "does not repeat what failed for another reason: %s",
    async (error) => {
      const { policy, waits } = noted([0, 100], 0);
      const { work, calls } = failing(10, error);
      await expect(retrying(work, {}, policy)).rejects.toBe(error);
      expect([calls.made, waits.length]).toEqual([1, 0]);
    },
  );

  it("stops waiting when its signal aborts, and leaves no timer behind", async () => {
    const cancel = new AbortController();
    const reason = new Error("enough");
    let running = 0;
    const clock = {
      now: () => 0,
      after: () => {
        running++;
        queueMicrotask(() => cancel.abort(reason));
        return () => void running--;
      },
    };
    const policy = { delaysMs: [1000], clock, random: () => 0 };
    const { work } = failing(1);
    await expect(retrying(work, { signal: cancel.signal }, policy)).rejects.toBe(reason);
    expect(running).toBe(0);
  });
});
