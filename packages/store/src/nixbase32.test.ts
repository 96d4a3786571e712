import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeNixBase32,
  encodeNixBase32,
  InvalidNixBase32Error,
  NIXBASE32_ALPHABET,
  nixBase32Length,
} from "./nixbase32.js";
import { fromHex } from "./testing/bytes.js";

// Made by the Nix and tvix developers; `nix-hash --type sha1 --to-base32` agrees with the second.
const GOLDEN = [
  ["", ""],
  ["1f", "0z"],
  ["8a12321522fd91efbd60ebb2481af88580f61600", "00bgd045z0d4icpbc2yyz4gx48ak44la"],
  [
    "13a8cf7ca57f68a9f1752acee36a72a55187d3a954443c112818926f26109d91",
    "14cx20k6z4hq508kqi2lm79qfld5f9mf7kiafpqsjs3zlmycza0k",
  ],
] as const;

function failure(text: string): unknown {
  try {
    decodeNixBase32(text);
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("encodeNixBase32()", () => {
  it.each(GOLDEN)("writes %s as %s", (hex, text) => {
    expect(encodeNixBase32(fromHex(hex))).toBe(text);
  });

  it("is undone by decodeNixBase32()", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = encodeNixBase32(bytes);
        expect(text).toHaveLength(nixBase32Length(bytes.byteLength));
        expect([...decodeNixBase32(text)]).toEqual([...bytes]);
      }),
      { seed: 32, numRuns: 500 },
    );
  });
});

describe("decodeNixBase32()", () => {
  it.each(GOLDEN)("reads %s from %s", (hex, text) => {
    expect([...decodeNixBase32(text)]).toEqual([...fromHex(hex)]);
  });

  it.each([
    ["zz", "padding", 0],
    ["c0", "padding", 0],
    ["0", "length", undefined],
    ["0zz", "length", undefined],
    ["0e", "character", 1],
    ["0Z", "character", 1],
    ["0\u00e9", "character", 1],
    ["0\uff10", "character", 1],
  ] as const)("refuses %j because of its %s", (text, reason, position) => {
    const error = failure(text);
    expect(error).toBeInstanceOf(InvalidNixBase32Error);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason, position });
  });

  it("takes a text exactly when encoding its bytes gives the text back", () => {
    const character = fc.constantFrom(...NIXBASE32_ALPHABET, "e", "u", "A", "-");
    fc.assert(
      fc.property(fc.array(character, { maxLength: 20 }), (characters) => {
        const text = characters.join("");
        const error = failure(text);
        if (error === undefined) expect(encodeNixBase32(decodeNixBase32(text))).toBe(text);
        else expect(error).toBeInstanceOf(InvalidNixBase32Error);
      }),
      { seed: 33, numRuns: 1000 },
    );
  });

  it("has one text for each of all the two-byte values", () => {
    const texts = new Set<string>();
    for (let value = 0; value < 65_536; value++) {
      const bytes = Uint8Array.of(value & 0xff, value >>> 8);
      const text = encodeNixBase32(bytes);
      texts.add(text);
      expect(Buffer.compare(decodeNixBase32(text), bytes)).toBe(0);
    }
    expect(texts.size).toBe(65_536);
  });
});
