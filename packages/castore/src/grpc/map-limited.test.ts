import { describe, expect, it, onTestFinished } from "vitest";
import { mapLimited } from "./map-limited.js";

const ITEMS = Array.from({ length: 50 }, (_, i) => i);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("mapLimited()", () => {
  it("keeps the order and the limit", async () => {
    let running = 0;
    let most = 0;
    const results = await mapLimited(ITEMS, 7, async (item) => {
      running++;
      most = Math.max(most, running);
      for (let i = 0; i < item % 4; i++) await turn();
      running--;
      return item * 2;
    });
    expect(results).toEqual(ITEMS.map((item) => item * 2));
    expect(most).toBe(7);
  });

  it("ends what runs at the first failure, and starts no more", async () => {
    const failure = new Error("this one");
    const aborted: unknown[] = [];
    let started = 0;
    const call = mapLimited(ITEMS, 4, async (item, { signal }) => {
      started++;
      if (item === 2) throw failure;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      aborted.push(signal.reason);
      throw new Error("aborted");
    });
    await expect(call).rejects.toBe(failure);
    expect(aborted).toEqual([failure, failure, failure]);
    expect(started).toBe(4);
  });

  it("rejects with the reason of its signal, before and during", async () => {
    const reason = new Error("enough");
    let started = 0;
    const before = mapLimited(ITEMS, 4, async () => started++, {
      signal: AbortSignal.abort(reason),
    });
    await expect(before).rejects.toBe(reason);
    expect(started).toBe(0);
    const cancel = new AbortController();
    const during = mapLimited(
      ITEMS,
      4,
      async (item, { signal }) => {
        if (item === 3) cancel.abort(reason);
        await turn();
        signal.throwIfAborted();
      },
      cancel,
    );
    await expect(during).rejects.toBe(reason);
  });

  it("puts few listeners on any signal", async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on("warning", onWarning);
    onTestFinished(() => void process.off("warning", onWarning));
    const { signal } = new AbortController();
    await mapLimited(
      ITEMS,
      50,
      async (_, call) => {
        call.signal.addEventListener("abort", () => {});
        await turn();
      },
      { signal },
    );
    await turn();
    expect(warnings).toEqual([]);
  });
});
