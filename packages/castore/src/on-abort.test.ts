import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { onAbort } from "./on-abort.js";

const listenersOf = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

describe("onAbort()", () => {
  it("calls every listener once, in order", () => {
    const controller = new AbortController();
    const called: number[] = [];
    for (let i = 0; i < 30; i++) onAbort(controller.signal, () => called.push(i));
    controller.abort();
    controller.abort();
    expect(called).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });

  it("calls the same function as often as it was given", () => {
    const controller = new AbortController();
    let count = 0;
    const listener = (): void => void count++;
    const ends = [0, 1, 2].map(() => onAbort(controller.signal, listener));
    ends[1]?.();
    ends[1]?.();
    controller.abort();
    expect(count).toBe(2);
  });

  it("listens to the signal once, and not at all when nobody is left", () => {
    const { signal } = new AbortController();
    const ends = [0, 1, 2].map(() => onAbort(signal, () => {}));
    expect(listenersOf(signal)).toBe(1);
    ends[0]?.();
    ends[2]?.();
    expect(listenersOf(signal)).toBe(1);
    ends[1]?.();
    expect(listenersOf(signal)).toBe(0);
    const end = onAbort(signal, () => {});
    // Ended long ago: that must not end the new one.
    ends[1]?.();
    expect(listenersOf(signal)).toBe(1);
    end();
  });

  it("does not call whom another listener ends", () => {
    const controller = new AbortController();
    const called: string[] = [];
    onAbort(controller.signal, () => {
      called.push("first");
      end();
    });
    const end = onAbort(controller.signal, () => called.push("second"));
    controller.abort();
    expect(called).toEqual(["first"]);
  });

  it("never calls a listener of a signal that has aborted", () => {
    let isCalled = false;
    const end = onAbort(AbortSignal.abort(), () => {
      isCalled = true;
    });
    end();
    expect(isCalled).toBe(false);
  });
});
