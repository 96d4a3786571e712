import { describe, expect, it } from "vitest";
import { fromBytes, rawWords, wordBytes } from "./raw-words.js";

describe("wordBytes()", () => {
  it("gives back every byte that fromBytes() got", () => {
    const all = Uint8Array.from({ length: 255 }, (_, i) => i + 1);
    expect(wordBytes(fromBytes(all))).toEqual(all);
    for (const byte of all) {
      const bytes = Uint8Array.of(0x61, byte, 0x62);
      expect(wordBytes(fromBytes(bytes))).toEqual(bytes);
    }
  });

  it.each([
    ["text", "caf\u00e9 \u20ac \u{1f600}"],
    ["a byte order mark", "\ufeffx"],
    ["the replacement character itself", "\ufffd"],
  ])("is the UTF-8 of %s", (_, text) => {
    const utf8 = new Uint8Array(new TextEncoder().encode(text));
    expect(wordBytes(text)).toEqual(utf8);
    expect(fromBytes(utf8)).toBe(text);
  });

  it.each([
    ["a byte alone", [0xe9]],
    ["a sequence that breaks off", [0x61, 0xe2, 0x82]],
    ["an overlong sequence", [0xc0, 0xaf]],
    ["a surrogate", [0xed, 0xb2, 0x80]],
    ["text around it", [0xe2, 0x82, 0xac, 0xff, 0xe2, 0x82, 0xac]],
  ])("keeps %s", (_, bytes) => {
    expect([...wordBytes(fromBytes(Uint8Array.from(bytes)))]).toEqual(bytes);
  });

  it("is no Buffer", () => {
    expect(Buffer.isBuffer(wordBytes("x"))).toBe(false);
  });
});

describe("rawWords()", () => {
  it("leaves out Node and the script", () => {
    expect(rawWords(["node", "tvix", "ls", "x"])).toEqual(["ls", "x"]);
  });
});
