import { describe, expect, it } from "vitest";
import { formatBytes, formatCount, formatSeconds, plural } from "./quantities.js";

describe("formatBytes()", () => {
  it.each([
    [0, "0 B"],
    [1, "1 B"],
    [999, "999 B"],
    [1000, "1.00 kB"],
    [1234, "1.23 kB"],
    [9994, "9.99 kB"],
    [9995, "10.0 kB"],
    [12_345, "12.3 kB"],
    [99_949, "99.9 kB"],
    [99_950, "100 kB"],
    [999_499, "999 kB"],
    [999_500, "1.00 MB"],
    [357_000_000, "357 MB"],
    [1_073_741_824, "1.07 GB"],
    [2n ** 64n - 1n, "18.4 EB"],
  ])("writes %s as %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe("formatCount()", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [1000, "1,000"],
    [38_771, "38,771"],
    [1_234_567n, "1,234,567"],
  ])("writes %s as %s", (count, text) => {
    expect(formatCount(count)).toBe(text);
  });
});

describe("plural()", () => {
  it("counts one and many", () => {
    expect(plural(0, "file")).toBe("0 files");
    expect(plural(1, "file")).toBe("1 file");
    expect(plural(2000, "directory", "directories")).toBe("2,000 directories");
  });
});

describe("formatSeconds()", () => {
  it.each([
    [-1, "0 s"],
    [0.4, "0 s"],
    [59.4, "59 s"],
    [59.6, "1 min 0 s"],
    [200, "3 min 20 s"],
    [7500, "2 h 5 min"],
  ])("writes %s as %s", (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text);
  });
});
