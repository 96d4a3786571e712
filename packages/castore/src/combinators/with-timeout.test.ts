import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.js";
import { collect, WatchedSource } from "../testing/sources.js";
import { streamWithTimeout, withTimeout } from "./with-timeout.js";

const LATE = { code: "UNAVAILABLE", message: "Cannot reach far: no answer for 1000 ms" };

/** Lets promises that can settle do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("withTimeout()", () => {
  it("gives what the work gives, and leaves no timer and no listener", async () => {
    const clock = new ManualClock();
    const { signal } = new AbortController();
    const options = { timeoutMs: 1000, clock, name: "far", signal };
    let seen: AbortSignal | undefined;
    const work = async (linked: AbortSignal): Promise<number> => {
      seen = linked;
      return 1;
    };
    expect(await withTimeout(work, options)).toBe(1);
    await expect(withTimeout(() => Promise.reject(new Error("no")), options)).rejects.toThrow("no");
    expect(clock.pending).toBe(0);
    expect(seen?.aborted).toBe(false);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("gives work up that takes too long, whether it heeds its signal or not", async () => {
    const clock = new ManualClock();
    let seen: AbortSignal | undefined;
    const result = withTimeout(
      (signal) => {
        seen = signal;
        return new Promise(() => {});
      },
      { timeoutMs: 1000, clock, name: "far" },
    );
    clock.advance(999);
    expect(seen?.aborted).toBe(false);
    clock.advance(1);
    await expect(result).rejects.toMatchObject(LATE);
    expect(seen?.reason).toMatchObject(LATE);
  });

  it("rejects with the reason of the caller's signal, which reaches the work", async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    let seen: AbortSignal | undefined;
    const result = withTimeout(
      (signal) => {
        seen = signal;
        return new Promise(() => {});
      },
      { timeoutMs: 1000, clock, name: "far", signal: controller.signal },
    );
    controller.abort("enough");
    await expect(result).rejects.toBe("enough");
    expect([seen?.reason, clock.pending]).toEqual(["enough", 0]);
  });
});

describe("streamWithTimeout()", () => {
  it("gives all, however long the consumer takes", async () => {
    const clock = new ManualClock();
    const source = new WatchedSource([1, 2, 3]);
    const items: number[] = [];
    const options = { timeoutMs: 1000, clock, name: "far", bytesOf: () => 1 };
    for await (const item of streamWithTimeout(() => source, options)) {
      items.push(item);
      clock.advance(5000);
    }
    expect([items, clock.pending]).toEqual([[1, 2, 3], 0]);
  });

  it("gives up when the next item takes too long", async () => {
    const clock = new ManualClock();
    const source = new WatchedSource([1, 2], "hang");
    source.onHang = () => clock.advance(1000);
    const stream = streamWithTimeout(() => source, { timeoutMs: 1000, clock, name: "far" });
    const items: number[] = [];
    const read = async (): Promise<void> => {
      for await (const item of stream) items.push(item);
    };
    await expect(read()).rejects.toMatchObject(LATE);
    expect([items, source.released]).toEqual([[1, 2], true]);
  });

  it("gives up a stream that drips, and not one that is slow", async () => {
    const read = async (bytesPerStep: number): Promise<number> => {
      const clock = new ManualClock();
      async function* drip(): AsyncGenerator<number> {
        for (let i = 0; i < 100; i++) {
          await settle();
          clock.advance(500);
          yield bytesPerStep;
        }
      }
      const stream = streamWithTimeout(drip, {
        timeoutMs: 1000,
        clock,
        name: "far",
        bytesOf: (bytes) => bytes,
        minBytesPerSecond: 100,
      });
      return (await collect(stream)).length;
    };
    await expect(read(1)).rejects.toMatchObject(LATE);
    expect(await read(50)).toBe(100);
  });

  it("closes the source when it is left, and aborts it with the caller's signal", async () => {
    const source = new WatchedSource([1, 2, 3]);
    for await (const _ of streamWithTimeout(() => source, { name: "far" })) break;
    expect(source.released).toBe(true);
    const controller = new AbortController();
    const hanging = new WatchedSource([1], "hang");
    hanging.onHang = () => controller.abort("enough");
    const options = { name: "far", signal: controller.signal };
    await expect(collect(streamWithTimeout(() => hanging, options))).rejects.toBe("enough");
    expect(hanging.released).toBe(true);
  });
});
