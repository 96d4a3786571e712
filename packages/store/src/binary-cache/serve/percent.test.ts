import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { percentDecode, percentEncode } from "./percent.js";

describe("percentEncode()", () => {
  it("leaves nothing that means something in a URL or in HTML", () => {
    const all = percentEncode(Uint8Array.from({ length: 256 }, (_, byte) => byte));
    expect(all).toMatch(/^(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*$/);
  });
});

describe("percentDecode()", () => {
  it("gives back any bytes that were encoded", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(percentDecode(percentEncode(bytes))).toEqual(bytes);
      }),
      { seed: 401, numRuns: 200 },
    );
  });

  it.each([
    ["%41%e4", [0x41, 0xe4]],
    ["\xff<", [0xff, 0x3c]],
    ["a+b", [0x61, 0x2b, 0x62]],
    ["%", undefined],
    ["%4", undefined],
    ["%zz", undefined],
    ["%+1", undefined],
    ["\u20ac", undefined],
  ])("reads %j as %j", (text, expected) => {
    expect(percentDecode(text)).toEqual(expected && Uint8Array.from(expected));
  });
});
