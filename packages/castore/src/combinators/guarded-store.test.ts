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
