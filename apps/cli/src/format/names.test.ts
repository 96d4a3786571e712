import { toUtf8 } from "@tvix/castore";
import { describe, expect, it } from "vitest";
import { displayName, jsonBytes } from "./names.js";

describe("displayName()", () => {
  it.each([
    ["plain text", toUtf8("README.md"), "README.md"],
    ["other scripts", toUtf8("caf\u00e9 \u20ac"), "caf\u00e9 \u20ac"],
    ["blanks and quotes", toUtf8("a 'b' \"c\""), "a 'b' \"c\""],
    ["a line break", toUtf8("a\nb"), "a\\x0ab"],
    ["an escape sequence", toUtf8("\x1b[31m"), "\\x1b[31m"],
    ["a backslash", toUtf8("a\\x0a"), "a\\x5cx0a"],
    ["bytes that are not UTF-8", Uint8Array.of(0x61, 0xe9, 0x22), 'a\\xe9"'],
    ["text that would run backwards", toUtf8("a\u202eb"), "a\\u202eb"],
  ])("writes %s", (_, bytes, expected) => {
    expect(displayName(bytes)).toBe(expected);
  });
});

describe("jsonBytes()", () => {
  it.each([
    ["UTF-8", toUtf8("caf\u00e9\n"), { name: "caf\u00e9\n" }],
    ["a byte order mark", Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), { name: "\ufeffa" }],
    ["other bytes", Uint8Array.of(0x61, 0xe9), { nameBase64: "Yek=" }],
  ])("keeps %s", (_, bytes, expected) => {
    expect(jsonBytes("name", bytes)).toEqual(expected);
  });
});
