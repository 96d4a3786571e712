import { describe, expect, it } from "vitest";
import { collect } from "../testing/sources.js";
import { readAhead } from "./read-ahead.js";

/** Reads that wait until they are told to end, and what has been begun. */
function pending() {
  const begun: number[] = [];
  const ends = new Map<
    number,
    { resolve: (value: string) => void; reject: (e: unknown) => void }
  >();
  const signals: (AbortSignal | undefined)[] = [];
  const read = (item: number, { signal }: { readonly signal?: AbortSignal }) => {
    begun.push(item);
    signals.push(signal);
    return new Promise<string>((resolve, reject) => ends.set(item, { resolve, reject }));
  };
  return { begun, read, ends, signals };
}

describe("readAhead()", () => {
  it("gives results in the order of the items, whichever is there first", async () => {
    const { read, ends } = pending();
    const all = collect(readAhead([1, 2, 3], () => 5, read, {}));
    await Promise.resolve();
    for (const item of [3, 1, 2]) ends.get(item)?.resolve(`read ${item}`);
    expect(await all).toEqual(["read 1", "read 2", "read 3"]);
  });

  it("reads no more ahead than it may, which may change", async () => {
    const { begun, read, ends } = pending();
    let ahead = 0;
    const results = readAhead([1, 2, 3, 4, 5], () => ahead, read, {});
    const first = results.next();
    expect(begun).toEqual([1]);
    ahead = 2;
    ends.get(1)?.resolve("a");
    await first;
    const second = results.next();
    expect(begun).toEqual([1, 2, 3, 4]);
    ends.get(2)?.resolve("b");
    expect(await second).toEqual({ done: false, value: "b" });
    await results.return();
  });

  it("ends what is under way when it is left, and begins nothing more", async () => {
    const { begun, read, ends, signals } = pending();
    const results = readAhead([1, 2, 3, 4], () => 1, read, {});
    const first = results.next();
    ends.get(1)?.resolve("a");
    await first;
    await results.return();
    expect(begun).toEqual([1, 2]);
    expect(signals.every((signal) => signal?.aborted === true)).toBe(true);
  });

  it("fails when the turn of a failure comes, not before", async () => {
    const { read, ends } = pending();
    const results = readAhead([1, 2], () => 1, read, {});
    const first = results.next();
    const failure = new Error("no");
    ends.get(2)?.reject(failure);
    ends.get(1)?.resolve("a");
    expect(await first).toEqual({ done: false, value: "a" });
    await expect(results.next()).rejects.toBe(failure);
  });

  it("gives nothing for nothing", async () => {
    expect(
      await collect(
        readAhead(
          [],
          () => 3,
          async () => 1,
          {},
        ),
      ),
    ).toEqual([]);
  });
});
