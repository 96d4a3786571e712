import { describe, expect, it } from "vitest";
import { CastoreError } from "../errors.js";
import { ManualClock } from "../testing/manual-clock.js";
import { collect, WatchedSource } from "../testing/sources.js";
import { GuardedStore } from "./guarded-store.js";

function guarded<S>(service: S) {
  const clock = new ManualClock();
  const options = { failures: 2, retryAfterMs: 100, timeoutMs: 1000, clock };
  return { clock, store: new GuardedStore<S>({ service, name: "far" }, options) };
}

describe("GuardedStore.stream()", () => {
  it("counts a stream that fails, and refuses while the store rests", async () => {
    const failure = new CastoreError("STORAGE", "no");
    const { clock, store } = guarded(failure);
    const read = (): Promise<number[]> =>
      collect(store.stream((error) => new WatchedSource<number>([1], error)));
    await expect(read()).rejects.toBe(failure);
    await expect(read()).rejects.toBe(failure);
    await expect(read()).rejects.toMatchObject({ code: "UNAVAILABLE", cause: failure });
    clock.advance(100);
    await expect(read()).rejects.toBe(failure);
    expect(clock.pending).toBe(0);
  });

  it("does not count a stream that is left, nor damage", async () => {
    const { store } = guarded(new CastoreError("CORRUPT", "wrong bytes"));
    for (let i = 0; i < 5; i++) {
      for await (const _ of store.stream((error) => new WatchedSource([1, 2], error))) break;
      const whole = collect(store.stream((error) => new WatchedSource([1], error)));
      await expect(whole).rejects.toMatchObject({ code: "CORRUPT" });
    }
    expect(store.isResting).toBe(false);
  });
});

describe("GuardedStore.run()", () => {
  /** Settles when it is told. */
  function answer() {
    let settle = (_result: string | Error): void => {};
    const promise = new Promise<string>((resolve, reject) => {
      settle = (result) => (result instanceof Error ? reject(result) : resolve(result));
    });
    return { promise, settle };
  }

  async function downAndBack(probePatienceMs: number) {
    const clock = new ManualClock();
    const options = { failures: 1, retryAfterMs: 100, timeoutMs: 5000, clock, probePatienceMs };
    const store = new GuardedStore({ service: "s", name: "far" }, options);
    await expect(store.run(() => Promise.reject(new Error("down")))).rejects.toThrow("down");
    clock.advance(100);
    const probe = answer();
    const probing = store.run(() => probe.promise);
    return { clock, store, probe, probing };
  }

  it("refuses others while one finds out whether the store is back", async () => {
    const { store, probe, probing } = await downAndBack(0);
    await expect(store.run(async () => "two")).rejects.toMatchObject({ code: "UNAVAILABLE" });
    probe.settle("one");
    expect([await probing, await store.run(async () => "two")]).toEqual(["one", "two"]);
  });

  it("lets others wait for that where it is told to", async () => {
    const { clock, store, probe, probing } = await downAndBack(1000);
    const second = store.run(async () => "two");
    probe.settle("one");
    expect([await probing, await second, clock.pending]).toEqual(["one", "two", 0]);
  });

  it("lets nobody wait for long, nor longer than that takes", async () => {
    const { clock, store, probe, probing } = await downAndBack(1000);
    const second = store.run(async () => "two");
    clock.advance(1000);
    await expect(second).rejects.toMatchObject({ code: "UNAVAILABLE" });
    const third = store.run(async () => "three");
    probe.settle(new Error("still down"));
    await expect(probing).rejects.toThrow("still down");
    await expect(third).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(clock.pending).toBe(0);
  });
});
