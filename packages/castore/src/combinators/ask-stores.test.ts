import { describe, expect, it } from "vitest";
import { CastoreError } from "../errors.js";
import { ManualClock } from "../testing/manual-clock.js";
import { type AskStore, fastestAnswer, firstAnswer } from "./ask-stores.js";
import { GuardedStore } from "./guarded-store.js";
import { failureOfStores, isStoreFailure } from "./store-failures.js";

/** What a store does when it is asked. */
type Behaviour = string | undefined | Error | "hang";

const DOWN = new CastoreError("UNAVAILABLE", "no route");
const BROKEN = new CastoreError("STORAGE", "disk on fire");
const LIAR = new CastoreError("CORRUPT", "wrong bytes");
const OPTIONS = { action: "Cannot get x" };

function storesOf(behaviours: readonly Behaviour[]) {
  const clock = new ManualClock();
  const stores = behaviours.map(
    (service, i) =>
      new GuardedStore<Behaviour>({ service, name: `s${i}`, timeoutMs: 1000 }, { clock }),
  );
  const signals: AbortSignal[] = [];
  const asked: string[] = [];
  const ask: AskStore<Behaviour, string> = async (behaviour, { signal }, { name }) => {
    asked.push(name);
    signals.push(signal);
    if (behaviour === "hang") return await new Promise<never>(() => {});
    if (behaviour instanceof Error) throw behaviour;
    return behaviour;
  };
  return { clock, stores, ask, asked, signals };
}

describe.each([
  ["firstAnswer()", firstAnswer],
  ["fastestAnswer()", fastestAnswer],
] as const)("%s", (_name, answerOf) => {
  it.each<[Behaviour[], string]>([
    [["a"], "a"],
    [[undefined, "b"], "b"],
    [[DOWN, undefined, "c"], "c"],
    [[LIAR, BROKEN, "c"], "c"],
  ])("finds the answer of %o", async (behaviours, expected) => {
    const { stores, ask } = storesOf(behaviours);
    expect(await answerOf(stores, ask, OPTIONS)).toBe(expected);
  });

  it("says that nobody has it only when all have said so", async () => {
    const { stores, ask } = storesOf([undefined, undefined]);
    expect(await answerOf(stores, ask, OPTIONS)).toBeUndefined();
  });

  it.each<[Behaviour[], string, string]>([
    [[DOWN, undefined], "UNAVAILABLE", "Cannot get x: s0: no route"],
    [[undefined, BROKEN], "STORAGE", "Cannot get x: s1: disk on fire"],
    [[LIAR, DOWN], "UNAVAILABLE", "Cannot get x: s0: wrong bytes; s1: no route"],
    [[LIAR], "CORRUPT", "Cannot get x: s0: wrong bytes"],
    [[new TypeError("odd"), undefined], "STORAGE", "Cannot get x: s0: odd"],
  ])("never takes a failure for a miss: %o", async (behaviours, code, message) => {
    const { stores, ask } = storesOf(behaviours);
    await expect(answerOf(stores, ask, OPTIONS)).rejects.toMatchObject({ code, message });
  });

  it("does not wait for ever, and leaves a store alone that failed three times", async () => {
    const { clock, stores, ask, asked } = storesOf(["hang"]);
    for (let i = 0; i < 3; i++) {
      const answer = answerOf(stores, ask, OPTIONS);
      clock.advance(1000);
      await expect(answer).rejects.toMatchObject({ code: "UNAVAILABLE" });
    }
    await expect(answerOf(stores, ask, OPTIONS)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect([asked.length, stores[0]?.isResting]).toEqual([3, true]);
  });

  it("tells the stores of an abort, which counts for no failure", async () => {
    const { stores, ask, signals } = storesOf(["hang"]);
    for (let i = 0; i < 5; i++) {
      const controller = new AbortController();
      const answer = answerOf(stores, ask, { ...OPTIONS, signal: controller.signal });
      controller.abort("enough");
      await expect(answer).rejects.toBe("enough");
    }
    expect(signals.map(({ reason }) => reason)).toEqual(new Array(5).fill("enough"));
    expect(stores[0]?.isResting).toBe(false);
    const aborted = answerOf(stores, ask, { ...OPTIONS, signal: AbortSignal.abort("before") });
    await expect(aborted).rejects.toBe("before");
    expect(signals).toHaveLength(5);
  });
});

describe("firstAnswer()", () => {
  it("asks nobody after an answer", async () => {
    const { stores, ask, asked } = storesOf([undefined, "b", "c"]);
    await firstAnswer(stores, ask, OPTIONS);
    expect(asked).toEqual(["s0", "s1"]);
  });
});

describe("fastestAnswer()", () => {
  it("cancels those that are slower, and none that has answered", async () => {
    const { stores, ask, signals } = storesOf(["hang", undefined, "c", "hang"]);
    expect(await fastestAnswer(stores, ask, OPTIONS)).toBe("c");
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false, false, true]);
    expect(stores.map(({ isResting }) => isResting)).toEqual([false, false, false, false]);
  });
});

describe("isStoreFailure()", () => {
  it("does not count what says something of the content alone", () => {
    const errors = [DOWN, BROKEN, LIAR, new Error("odd"), "text"];
    expect(errors.map(isStoreFailure)).toEqual([true, true, false, true, true]);
  });
});

describe("failureOfStores()", () => {
  it("keeps all causes", () => {
    const failures = [DOWN, LIAR].map((error, i) => ({ store: `s${i}`, error }));
    expect(failureOfStores("x", failures.slice(0, 1)).cause).toBe(DOWN);
    expect(failureOfStores("x", failures).cause).toMatchObject({ errors: [DOWN, LIAR] });
  });
});
