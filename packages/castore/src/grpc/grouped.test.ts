import { describe, expect, it } from "vitest";
import type { CallOptions } from "../blobservice/blob-service.js";
import { Grouped } from "./grouped.js";

/** A call that is under way, and how to end it. */
interface Call {
  readonly items: readonly number[];
  readonly options: CallOptions;
  succeed(): void;
  fail(error: Error): void;
}

/** Groups numbers of up to 10 in all, two groups at a time; answers with ten times each. */
function makeGrouped(): { grouped: Grouped<number, number>; calls: Call[] } {
  const calls: Call[] = [];
  const run = (items: readonly number[], options: CallOptions) =>
    new Promise<number[]>((resolve, reject) => {
      const succeed = (): void => resolve(items.map((item) => 10 * item));
      calls.push({ items, options, succeed, fail: reject });
    });
  const sizeOf = (items: readonly number[]) => items.reduce((sum, item) => sum + item, 0);
  return { grouped: new Grouped(run, { maxUnderWay: 2, maxSize: 10, sizeOf }), calls };
}

const { signal } = new AbortController();

describe("Grouped", () => {
  it("runs the first at once, and what comes meanwhile together", async () => {
    const { grouped, calls } = makeGrouped();
    const results = [[1], [2], [3, 4], [], [1]].map((items) => grouped.run(items, { signal }));
    expect(calls.map(({ items }) => items)).toEqual([[1], [2]]);
    calls[0]?.succeed();
    expect(await results[0]).toEqual([10]);
    await expect.poll(() => calls[2]?.items).toEqual([3, 4, 1]);
    expect(calls[2]?.options.signal).toBe(signal);
    calls[2]?.succeed();
    calls[1]?.succeed();
    expect(await Promise.all(results)).toEqual([[10], [20], [30, 40], [], [10]]);
  });

  it("ends a group where it would be too large, but keeps the items of a caller together", async () => {
    const { grouped, calls } = makeGrouped();
    for (const items of [[1], [1], [20, 1], [9], [1], [1]]) void grouped.run(items, { signal });
    calls[0]?.succeed();
    calls[1]?.succeed();
    await expect
      .poll(() => calls.slice(2).map(({ items }) => items))
      .toEqual([
        [20, 1],
        [9, 1],
      ]);
    calls[3]?.succeed();
    await expect.poll(() => calls[4]?.items).toEqual([1]);
  });

  it("fails for all that share a call, and goes on with others", async () => {
    const { grouped, calls } = makeGrouped();
    const first = [1, 2].map((item) => grouped.run([item], { signal }));
    const shared = [3, 4].map((item) => grouped.run([item], { signal }));
    calls[0]?.succeed();
    await expect.poll(() => calls[2]?.items).toEqual([3, 4]);
    const late = grouped.run([5], { signal });
    const error = new Error("refused");
    calls[2]?.fail(error);
    const outcomes = await Promise.allSettled(shared);
    expect(outcomes).toEqual([
      { status: "rejected", reason: error },
      { status: "rejected", reason: error },
    ]);
    await expect.poll(() => calls[3]?.items).toEqual([5]);
    calls[1]?.succeed();
    calls[3]?.succeed();
    expect(await Promise.all([...first, late])).toEqual([[10], [20], [50]]);
  });

  it("keeps those with other signals, and those without, apart", () => {
    const { grouped, calls } = makeGrouped();
    const other = new AbortController().signal;
    for (const options of [{ signal }, { signal }, { signal: other }, {}, {}])
      void grouped.run([1], options);
    expect(calls.map(({ options }) => options.signal)).toEqual([
      signal,
      signal,
      other,
      undefined,
      undefined,
    ]);
  });
});
