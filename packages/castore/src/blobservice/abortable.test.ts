import { describe, expect, it, vi } from "vitest";
import { collect, WatchedSource } from "../testing/sources.js";
import { abortable } from "./abortable.js";

const reason = new Error("the user pressed a key");

describe("abortable()", () => {
  it.each([
    ["an async source", () => new WatchedSource([1, 2, 3])],
    ["an array", () => [1, 2, 3]],
    ["a generator", () => [1, 2, 3].values()],
  ])("yields what %s yields", async (_label, source) => {
    expect(await collect(abortable(source()))).toEqual([1, 2, 3]);
    expect(await collect(abortable(source(), new AbortController().signal))).toEqual([1, 2, 3]);
  });

  it("passes on how the source fails, and does not close it then", async () => {
    const failure = new Error("the source failed");
    for (const signal of [undefined, new AbortController().signal]) {
      const source = new WatchedSource([1], failure);
      await expect(collect(abortable(source, signal))).rejects.toBe(failure);
      expect(source.released).toBe(true);
    }
  });

  it("closes the source when it is left early", async () => {
    const source = new WatchedSource([1, 2, 3]);
    for await (const item of abortable(source)) {
      expect(item).toBe(1);
      break;
    }
    expect(source.released).toBe(true);
    expect(source.pulled).toBe(1);
  });

  it("closes a generator by its finally", async () => {
    const closed = vi.fn();
    function* generate(): Generator<number> {
      try {
        yield* [1, 2, 3];
      } finally {
        closed();
      }
    }
    for await (const _ of abortable(generate())) break;
    expect(closed).toHaveBeenCalledOnce();
  });

  it("closes the source when the consumer fails, with the consumer's error", async () => {
    const source = new WatchedSource([1, 2, 3]);
    const failure = new Error("the consumer failed");
    const consume = async (): Promise<void> => {
      for await (const _ of abortable(source)) throw failure;
    };
    await expect(consume()).rejects.toBe(failure);
    expect(source.released).toBe(true);
  });

  it("closes the source without a step when the signal had aborted before", async () => {
    const source = new WatchedSource([1]);
    await expect(collect(abortable(source, AbortSignal.abort(reason)))).rejects.toBe(reason);
    expect(source.pulled).toBe(0);
    expect(source.released).toBe(true);
  });

  it("ends between two steps", async () => {
    const controller = new AbortController();
    const source = new WatchedSource([1, 2, 3]);
    const seen: number[] = [];
    const consume = async (): Promise<void> => {
      for await (const item of abortable(source, controller.signal)) {
        seen.push(item);
        controller.abort(reason);
      }
    };
    await expect(consume()).rejects.toBe(reason);
    expect(seen).toEqual([1]);
    expect(source.released).toBe(true);
  });

  it("ends while the source hangs", async () => {
    const controller = new AbortController();
    const source = new WatchedSource([1], "hang");
    source.onHang = () => controller.abort(reason);
    await expect(collect(abortable(source, controller.signal))).rejects.toBe(reason);
    expect(source.released).toBe(true);
  });

  it("does not wait for a generator that hangs, though its end waits for that step", async () => {
    const controller = new AbortController();
    async function* hang(): AsyncGenerator<number> {
      yield 1;
      controller.abort(reason);
      await new Promise(() => {});
    }
    await expect(collect(abortable(hang(), controller.signal))).rejects.toBe(reason);
  });

  it("keeps the reason when closing fails", async () => {
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: 1 }),
        return: () => Promise.reject(new Error("cannot close")),
      }),
    };
    const signal = AbortSignal.abort(reason);
    await expect(collect(abortable(source, signal))).rejects.toBe(reason);
  });

  it("leaves no listener at the signal", async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    await collect(abortable(new WatchedSource([1, 2, 3]), signal));
    expect(added).toHaveBeenCalledTimes(4);
    expect(removed).toHaveBeenCalledTimes(4);
  });
});
