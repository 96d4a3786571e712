import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compareByteRanges,
  compareBytes,
  concatBytes,
  copyBytes,
  equalBytes,
  escapeBytes,
  plainBytes,
  splitBytes,
  toBase64,
  toHex,
  toLatin1,
  toUtf8,
} from "./bytes.js";

describe("compareBytes()", () => {
  it.each([
    ["equal", [1, 2], [1, 2], 0],
    ["smaller byte", [1, 2], [1, 3], -1],
    ["unsigned, not signed", [0x7f], [0x80], -1],
    ["a beginning before the whole", [1], [1, 0], -1],
    ["nothing before something", [], [0], -1],
    ["the first difference decides", [2, 0, 0], [1, 9, 9], 1],
  ])("%s", (_label, a, b, sign) => {
    expect(Math.sign(compareBytes(Uint8Array.from(a), Uint8Array.from(b)))).toBe(sign);
    expect(Math.sign(compareBytes(Uint8Array.from(b), Uint8Array.from(a)))).toBe(0 - sign || 0);
  });

  it("orders like Buffer.compare, in ranges too", () => {
    const small = fc.array(fc.integer({ min: 126, max: 129 }), { maxLength: 4 });
    return fc.assert(
      fc.property(small, small, fc.nat(3), fc.nat(3), (x, y, xPad, yPad) => {
        const a = Uint8Array.from(x);
        const b = Uint8Array.from(y);
        const expected = Math.sign(Buffer.compare(a, b));
        expect(Math.sign(compareBytes(a, b))).toBe(expected);
        const aRange = concatBytes([new Uint8Array(xPad), a, new Uint8Array(3)]);
        const bRange = concatBytes([new Uint8Array(yPad), b, new Uint8Array(3)]);
        const order = compareByteRanges(aRange, xPad, a.length, bRange, yPad, b.length);
        expect(Math.sign(order)).toBe(expected);
        expect(equalBytes(a, b)).toBe(expected === 0);
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});

describe("concatBytes()", () => {
  it("joins in order and shares nothing", () => {
    const part = Uint8Array.of(1, 2);
    const joined = concatBytes([part, new Uint8Array(0), Uint8Array.of(3)]);
    part[0] = 9;
    expect(joined).toEqual(Uint8Array.of(1, 2, 3));
    expect(concatBytes([])).toEqual(new Uint8Array(0));
  });
});

describe("copyBytes()", () => {
  it("copies a Buffer to a plain array of its own", () => {
    const buffer = Buffer.from("abc");
    const copy = copyBytes(buffer);
    buffer[0] = 0;
    expect(Object.getPrototypeOf(copy)).toBe(Uint8Array.prototype);
    expect(toHex(copy)).toBe("616263");
  });
});

describe("text forms", () => {
  it("agree with Buffer", () => {
    return fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        const buffer = Buffer.from(bytes);
        expect(toHex(bytes)).toBe(buffer.toString("hex"));
        expect(toBase64(bytes)).toBe(buffer.toString("base64"));
        expect(toLatin1(bytes)).toBe(buffer.toString("latin1"));
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("toLatin1() takes more bytes than a call takes arguments", () => {
    const bytes = Uint8Array.from({ length: 1_000_000 }, (_, i) => i % 251);
    expect(toLatin1(bytes) === Buffer.from(bytes).toString("latin1")).toBe(true);
  });
});

describe("escapeBytes()", () => {
  it.each([
    ["plain text", toUtf8("a b.c"), "a b.c"],
    ["other scripts", toUtf8("naïve 日本 🦀"), "naïve 日本 🦀"],
    ["a line end", toUtf8("a\nb"), "a\\x0ab"],
    ["an escape sequence", toUtf8("\u001b[31m"), "\\x1b[31m"],
    ["a C1 control", toUtf8("\u009b"), "\\x9b"],
    ["a quote and a backslash", toUtf8('"\\'), "\\x22\\x5c"],
    ["a mark that turns text around", toUtf8("a\u202eb\u200f"), "a\\u202eb\\u200f"],
    ["a line separator", toUtf8("\u2028"), "\\u2028"],
    ["a byte order mark", toUtf8("\ufeffa"), "\ufeffa"],
    ["what is not UTF-8", Uint8Array.of(0x61, 0xff, 0x22, 0x5c, 0x0a), "a\\xff\\x22\\x5c\\x0a"],
    ["half a character", Uint8Array.of(0x61, 0xc3), "a\\xc3"],
  ])("shows %s", (_label, bytes, expected) => {
    expect(escapeBytes(bytes)).toBe(expected);
  });
});

describe("splitBytes()", () => {
  it("gives the parts in order, in the same memory", () => {
    const bytes = Uint8Array.of(1, 2, 3, 4, 5);
    const parts = splitBytes(bytes, [2, 0, 1]);
    expect(parts).toEqual([Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)]);
    bytes.fill(0);
    expect(parts[2]).toEqual(Uint8Array.of(0));
  });
});

describe("plainBytes()", () => {
  it("gives the same memory, without the methods of a Buffer", () => {
    const buffer = Buffer.from("abcdef").subarray(1, 4);
    const plain = plainBytes(buffer);
    expect(Object.getPrototypeOf(plain)).toBe(Uint8Array.prototype);
    expect(plain).toEqual(Uint8Array.of(0x62, 0x63, 0x64));
    buffer[0] = 0;
    expect(plain[0]).toBe(0);
    expect(plainBytes(plain)).toBe(plain);
  });
});
