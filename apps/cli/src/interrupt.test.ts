import { describe, expect, it } from "vitest";
import { InterruptedError, orInterrupt } from "./interrupt.js";

describe("orInterrupt()", () => {
  const never = new Promise<never>(() => {});

  it("settles like the work", async () => {
    const { signal } = new AbortController();
    expect(await orInterrupt(Promise.resolve(1), signal)).toBe(1);
    await expect(orInterrupt(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
  });

  it("does not wait for work that does not notice", async () => {
    const controller = new AbortController();
    const result = orInterrupt(never, controller.signal);
    const reason = new InterruptedError("SIGINT");
    controller.abort(reason);
    await expect(result).rejects.toBe(reason);
  });

  it("rejects at once when it is too late", async () => {
    const reason = new InterruptedError("SIGTERM");
    await expect(orInterrupt(never, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe("InterruptedError", () => {
  it.each([
    ["SIGINT", 2],
    ["SIGTERM", 15],
    ["SIGHUP", 1],
  ] as const)("knows the number of %s", (name, number) => {
    expect(new InterruptedError(name).signalNumber).toBe(number);
  });
});
