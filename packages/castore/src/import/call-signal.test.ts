import { getEventListeners } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { CallSignal } from "./call-signal.js";

describe("CallSignal", () => {
  afterEach(() => vi.restoreAllMocks());

  it("aborts with the reason of its parent, also of one that aborted before", () => {
    const parent = new AbortController();
    const before = new CallSignal(parent.signal);
    const reason = new Error("enough");
    parent.abort(reason);
    expect(before.signal.reason).toBe(reason);
    expect(new CallSignal(parent.signal).signal.reason).toBe(reason);
    expect(new CallSignal(undefined).signal.aborted).toBe(false);
  });

  it("listens once, and not after its end", () => {
    const parent = new AbortController();
    const call = new CallSignal(parent.signal);
    expect(getEventListeners(parent.signal, "abort")).toHaveLength(1);
    call.end();
    expect(getEventListeners(parent.signal, "abort")).toHaveLength(0);
  });

  it("may have many listeners without a warning", () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const { signal } = new CallSignal(new AbortController().signal);
    for (let i = 0; i < 50; i++) signal.addEventListener("abort", () => {});
    expect(warn).not.toHaveBeenCalled();
  });
});
