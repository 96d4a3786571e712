import { describe, expect, it } from "vitest";
import { collect, WatchedSource } from "../testing/sources.js";
import { Tee, type TeeBranch } from "./tee.js";

/** Lets promises that can settle do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function teeOf(source: WatchedSource<number>): [TeeBranch<number>, TeeBranch<number>] {
  const tee = new Tee(source);
  return [tee.branch(), tee.branch()];
}

describe("Tee", () => {
  it("gives everything to everybody", async () => {
    const branches = teeOf(new WatchedSource([1, 2, 3]));
    const all = await Promise.all(branches.map((branch) => collect(branch)));
    expect(all).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });

  it("asks for the next item when all have used up the one before", async () => {
    const source = new WatchedSource([1, 2, 3]);
    const [fast, slow] = teeOf(source);
    const first = collect(fast);
    const iterator = slow[Symbol.asyncIterator]();
    await settle();
    expect(source.pulled).toBe(0);
    await iterator.next();
    await settle();
    expect(source.pulled).toBe(1);
    await iterator.next();
    slow.leave();
    expect(await first).toEqual([1, 2, 3]);
  });

  it("goes on without those who leave, for whom it is over", async () => {
    const source = new WatchedSource([1, 2, 3]);
    const [a, b] = teeOf(source);
    const waiting = b[Symbol.asyncIterator]().next();
    b.leave();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await collect(a)).toEqual([1, 2, 3]);
    expect(await b[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
  });

  it("tells who is sent away why, now and later", async () => {
    const [, b] = teeOf(new WatchedSource([1]));
    const iterator = b[Symbol.asyncIterator]();
    const waiting = iterator.next();
    const reason = new Error("too slow");
    b.leave(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(iterator.next()).rejects.toBe(reason);
  });

  it("passes a failure on to everybody", async () => {
    const failure = new Error("no more");
    const branches = teeOf(new WatchedSource([1], failure));
    const all = await Promise.allSettled(branches.map((branch) => collect(branch)));
    expect(all.map((one) => one.status === "rejected" && one.reason)).toEqual([failure, failure]);
  });

  it("may be left by all in the middle", async () => {
    const source = new WatchedSource([1, 2, 3]);
    const [a, b] = teeOf(source);
    const both = [a, b].map(async (branch) => {
      for await (const item of branch) return item;
      return undefined;
    });
    expect(await Promise.all(both)).toEqual([1, 1]);
    expect(source.pulled).toBeLessThanOrEqual(2);
  });
});
