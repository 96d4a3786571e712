import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CastoreError } from "../errors.js";
import { inTime, type Pace } from "./in-time.js";

const PACE: Pace<number> = { windowMs: 1000, amount: 10, measure: (item) => item };

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A stream whose steps end when the test says so, or when it is stopped. */
class Script implements AsyncIterable<number> {
  readonly #steps: PromiseWithResolver[] = [];
  closed = false;
  stopped: CastoreError | undefined;

  async *[Symbol.asyncIterator](): AsyncGenerator<number, void, undefined> {
    try {
      for (;;) {
        const step = promiseWithResolver();
        this.#steps.push(step);
        const item = await step.promise;
        if (item === undefined) return;
        yield item;
      }
    } finally {
      this.closed = true;
    }
  }

  /** The step that is under way brings `item`; the end without one. */
  bring(item?: number): void {
    this.#steps.at(-1)?.resolve(item);
  }

  stop(reason: CastoreError): void {
    this.stopped = reason;
    this.#steps.at(-1)?.reject(new Error("The call was canceled"));
  }
}

interface PromiseWithResolver {
  readonly promise: Promise<number | undefined>;
  resolve(item: number | undefined): void;
  reject(reason: Error): void;
}

function promiseWithResolver(): PromiseWithResolver {
  let resolve: (item: number | undefined) => void = () => {};
  let reject: (reason: Error) => void = () => {};
  const promise = new Promise<number | undefined>((onItem, onError) => {
    resolve = onItem;
    reject = onError;
  });
  return { promise, resolve, reject };
}

function start(): { script: Script; stream: AsyncGenerator<number, void, undefined> } {
  const script = new Script();
  return { script, stream: inTime(script, PACE, (reason) => script.stop(reason)) };
}

describe("inTime()", () => {
  it("gives what comes in time, however long it takes together", async () => {
    const { script, stream } = start();
    for (let i = 0; i < 5; i++) {
      const next = stream.next();
      await vi.advanceTimersByTimeAsync(900);
      script.bring(10);
      expect(await next).toEqual({ done: false, value: 10 });
    }
    const end = stream.next();
    await vi.advanceTimersByTimeAsync(1);
    script.bring();
    expect(await end).toEqual({ done: true, value: undefined });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("gives up on silence", async () => {
    const { script, stream } = start();
    const next = expect(stream.next()).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await vi.advanceTimersByTimeAsync(1000);
    await next;
    expect(script.stopped).toMatchObject({ code: "UNAVAILABLE" });
    expect(script.closed).toBe(true);
  });

  it("gives up on what drips", async () => {
    const { script, stream } = start();
    const first = stream.next();
    await vi.advanceTimersByTimeAsync(600);
    script.bring(1);
    await first;
    const second = expect(stream.next()).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await vi.advanceTimersByTimeAsync(400);
    await second;
  });

  it("does not count the time that its caller takes", async () => {
    const { script, stream } = start();
    for (let i = 0; i < 3; i++) {
      const next = stream.next();
      await vi.advanceTimersByTimeAsync(300);
      script.bring(1);
      await next;
      await vi.advanceTimersByTimeAsync(5000);
    }
    expect(script.stopped).toBeUndefined();
  });

  it("closes the stream when its caller leaves", async () => {
    const { script, stream } = start();
    const next = stream.next();
    await vi.advanceTimersByTimeAsync(1);
    script.bring(1);
    await next;
    await stream.return();
    expect(script.closed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
