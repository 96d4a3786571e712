import { describe, expect, it } from "vitest";
import { parseWrk } from "./wrk.js";

const LINE = '{"requests":3000,"us":2000000,"p50":310,"p99":1200,"failed":0}';

describe("parseWrk()", () => {
  it("finds the figures among what wrk prints itself", () => {
    const result = parseWrk(`Running 2s test\n  1 threads and 16 connections\n${LINE}\n`);
    expect(result).toEqual({ requestsPerSecond: 1500, p50Ms: 0.31, p99Ms: 1.2 });
  });

  it("refuses a run in which a request failed", () => {
    const failed = LINE.replace('"failed":0', '"failed":2');
    expect(() => parseWrk(failed)).toThrow("2 of 3000 requests failed");
  });

  it("tells what wrk said when it gave no figures", () => {
    expect(() => parseWrk("unable to connect\n")).toThrow("unable to connect");
  });
});
