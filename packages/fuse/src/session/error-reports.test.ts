import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { OPCODE } from "../protocol/opcodes.js";
import { ErrorReports, type FailedRequest } from "./error-reports.js";

describe("ErrorReports", () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ["Date"] }));
  afterEach(() => vi.useRealTimers());

  it("passes on 20 failures in 10 seconds, and later how many it did not", async () => {
    const seen: FailedRequest[] = [];
    const reports = new ErrorReports((_error, request) => seen.push(request));
    for (let i = 0; i < 50; i++) reports.report(new Error("x"), OPCODE.READ, i);
    await Promise.resolve();
    expect(seen.map(({ nodeId }) => nodeId)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(seen.every(({ unreported }) => unreported === 0)).toBe(true);
    vi.advanceTimersByTime(9_999);
    reports.report(new Error("x"), OPCODE.READ, 50);
    vi.advanceTimersByTime(1);
    reports.report(new Error("x"), OPCODE.LOOKUP, 51);
    reports.report(new Error("x"), OPCODE.LOOKUP, 52);
    await Promise.resolve();
    expect(seen.slice(20)).toEqual([
      { operation: "LOOKUP", nodeId: 51, unreported: 31 },
      { operation: "LOOKUP", nodeId: 52, unreported: 0 },
    ]);
  });

  it("goes on when the clock is set back", async () => {
    const seen: FailedRequest[] = [];
    const reports = new ErrorReports((_error, request) => seen.push(request));
    for (let i = 0; i < 21; i++) reports.report(new Error("x"), OPCODE.READ, i);
    vi.setSystemTime(Date.now() - 3_600_000);
    reports.report(new Error("x"), OPCODE.READ, 99);
    await Promise.resolve();
    expect(seen.at(-1)).toEqual({ operation: "READ", nodeId: 99, unreported: 1 });
  });

  it("does nothing where nobody listens", () => {
    expect(() => new ErrorReports(undefined).report(new Error("x"), 1, 1)).not.toThrow();
  });
});
