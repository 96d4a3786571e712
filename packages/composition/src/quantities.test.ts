import { describe, expect, it } from "vitest";
import { formatSize, formatTime, parseSize, parseTime } from "./quantities.js";

describe("parseTime()", () => {
  it.each([
    ["0ms", 0],
    ["1500ms", 1500],
    ["30s", 30_000],
    ["5m", 300_000],
    ["2h", 7_200_000],
  ])("reads %s, and formatTime() writes it", (text, value) => {
    expect(parseTime(text)).toBe(value);
    expect(formatTime(value)).toBe(text);
  });

  it.each(["", "30", "s", "1.5s", "-1s", "30 s", "30S", "1d", "999999999999999h"])(
    "refuses %j",
    (text) => {
      expect(parseTime(text)).toBeUndefined();
    },
  );
});

describe("parseSize()", () => {
  it.each([
    ["1B", 1],
    ["3KiB", 3072],
    ["4MiB", 4_194_304],
    ["1GiB", 1_073_741_824],
  ])("reads %s, and formatSize() writes it", (text, value) => {
    expect(parseSize(text)).toBe(value);
    expect(formatSize(value)).toBe(text);
  });

  it.each(["", "4", "4MB", "4mib", "0x4B", "1e3B"])("refuses %j", (text) => {
    expect(parseSize(text)).toBeUndefined();
  });
});
