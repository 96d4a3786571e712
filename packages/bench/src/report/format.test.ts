import { describe, expect, it } from "vitest";
import {
  formatFigure,
  formatFigureSpread,
  formatMebibytes,
  formatMegabytes,
  formatSpread,
} from "./format.js";

describe("formatSpread()", () => {
  it.each([
    { values: [], text: "–" },
    { values: [1.234], text: "1.23" },
    { values: [1.234, 0.0567, 12.34], text: "1.23 (0.057–12.3)" },
  ])("of $values is $text", ({ values, text }) => {
    expect(formatSpread(values)).toBe(text);
  });
});

describe("formatFigureSpread()", () => {
  it.each([
    { values: [], text: "–" },
    { values: [1234.5], text: "1,235" },
    { values: [12.34, 1.234, 1234.5], text: "12.3 (1.23–1,235)" },
  ])("of $values is $text", ({ values, text }) => {
    expect(formatFigureSpread(values)).toBe(text);
  });
});

describe("formatFigure()", () => {
  it.each([
    [0.456, "0.46"],
    [12.34, "12.3"],
    [1234.5, "1,235"],
  ])("of %d is %s", (value, text) => {
    expect(formatFigure(value)).toBe(text);
  });
});

describe("formatMegabytes() and formatMebibytes()", () => {
  it("differ in their unit", () => {
    expect(formatMegabytes(744_000_000)).toBe("744.0");
    expect(formatMebibytes(400 * 1024 * 1024)).toBe("400");
  });
});
