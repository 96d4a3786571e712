import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { LinkedAbort } from "./linked-abort.js";

describe("LinkedAbort", () => {
  it("aborts with its parent, for the same reason", () => {
    const parent = new AbortController();
    const link = new LinkedAbort(parent.signal);
    expect(link.signal.aborted).toBe(false);
    parent.abort("enough");
    expect(link.signal.reason).toBe("enough");
    expect(new LinkedAbort(parent.signal).signal.reason).toBe("enough");
  });

  it("end() aborts it alone, and stops listening", () => {
    const parent = new AbortController();
    const link = new LinkedAbort(parent.signal);
    link.end("done");
    expect(link.signal.reason).toBe("done");
    expect(parent.signal.aborted).toBe(false);
    expect(getEventListeners(parent.signal, "abort")).toEqual([]);
  });

  it("detach() stops listening, and leaves the signal as it is", () => {
    const parent = new AbortController();
    const link = new LinkedAbort(parent.signal);
    link.detach();
    parent.abort();
    expect(link.signal.aborted).toBe(false);
    expect(getEventListeners(parent.signal, "abort")).toEqual([]);
  });
});
