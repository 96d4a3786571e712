import { describe, expect, it } from "vitest";
import { quote } from "./quote.js";

describe("quote()", () => {
  it.each([
    ["plain", '"plain"'],
    ["caf\u00e9", '"caf\u00e9"'],
    ['a "b"', '"a \\"b\\""'],
    ["\x1b[31m\n", '"\\u001b[31m\\n"'],
    ["\x7f\x9b", '"\\u007f\\u009b"'],
    ["a\u202eb", '"a\\u202eb"'],
    ["\udce9", '"\\udce9"'],
  ])("writes %j", (word, expected) => {
    expect(quote(word)).toBe(expected);
  });
});
