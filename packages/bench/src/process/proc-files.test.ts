import { describe, expect, it } from "vitest";
import {
  cpuSeconds,
  parseChildrenCpuSeconds,
  parseCpuSeconds,
  parsePeakMemoryBytes,
  peakMemoryBytes,
} from "./proc-files.js";

const STAT =
  "4711 (a) b (c) S 1 4711 4711 0 -1 4194560 2500 77777 0 0 12 34 567 89 20 0 11 0 100 5000000 900";

describe("parseChildrenCpuSeconds()", () => {
  it("adds the user and system time of the children, whatever the program is called", () => {
    expect(parseChildrenCpuSeconds(STAT)).toBe(6.56);
  });

  it("refuses a line that ends too early", () => {
    expect(() => parseChildrenCpuSeconds("1 (a) S 1 2 3")).toThrow(RangeError);
  });
});

describe("parseCpuSeconds()", () => {
  it("adds the user and system time of the process itself", () => {
    expect(parseCpuSeconds(STAT)).toBe(0.46);
  });
});

describe("cpuSeconds()", () => {
  it("is undefined for a process that does not exist", () => {
    expect(cpuSeconds(2 ** 30)).toBeUndefined();
  });
});

describe("parsePeakMemoryBytes()", () => {
  it("reads the high-water mark", () => {
    expect(parsePeakMemoryBytes("Name:\tnode\nVmHWM:\t  1234 kB\nVmRSS:\t   99 kB\n")).toBe(
      1234 * 1024,
    );
  });

  it("is undefined for a process without memory", () => {
    expect(parsePeakMemoryBytes("Name:\tnode\nState:\tZ (zombie)\n")).toBeUndefined();
  });
});

describe("peakMemoryBytes()", () => {
  it("is undefined for a process that does not exist", () => {
    // Process ids end below 2^22 on Linux.
    expect(peakMemoryBytes(2 ** 30)).toBeUndefined();
  });
});
