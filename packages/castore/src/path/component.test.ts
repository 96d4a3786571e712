import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toUtf8 } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { pathComponents } from "../testing/arbitraries.js";
import { InvalidNameError, PathComponent } from "./component.js";

describe("PathComponent.fromBytes()", () => {
  it.each([
    ["empty", ""],
    ["parent", ".."],
    ["current", "."],
    ["too-long", "x".repeat(256)],
    ["too-long", `${"x".repeat(256)}\0/`],
    ["nul", "\0"],
    ["nul", "a/b\0"],
    ["nul", "a\0/"],
    ["slash", "/"],
    ["slash", "a/b"],
    ["slash", "a/"],
  ] as const)("refuses a name for being %s (%j)", (reason, text) => {
    expect(() => PathComponent.fromBytes(toUtf8(text))).toThrow(
      expect.objectContaining({ reason, code: "INVALID_ARGUMENT" }),
    );
  });

  it.each(["a", "...", ".a", "a.", "..a", " ", "\n", "x".repeat(255), "\\", "é"])(
    "takes %j",
    (text) => {
      expect(PathComponent.fromBytes(toUtf8(text)).toBytes()).toEqual(toUtf8(text));
    },
  );

  it("takes every byte but NUL and slash", () => {
    const refused = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => {
      try {
        PathComponent.fromBytes(Uint8Array.of(0x61, byte));
        return false;
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidNameError);
        return true;
      }
    });
    expect(refused).toEqual([0x00, 0x2f]);
  });

  it("escapes the name in its message, and cuts a long one", () => {
    const bytes = toUtf8(`\u001b]0;${"x".repeat(1000)}/`);
    const attempt = (): unknown => PathComponent.fromBytes(bytes);
    expect(attempt).toThrow('Invalid name "\\x1b]0;xxx');
    expect(attempt).toThrow(
      expect.objectContaining({ message: expect.not.stringMatching(/x{301}/) }),
    );
  });

  it("keeps what the bytes were", () => {
    const bytes = toUtf8("abc");
    const component = PathComponent.fromBytes(bytes);
    bytes.fill(0);
    component.toBytes().fill(0);
    expect(component.toString()).toBe("abc");
  });
});

describe("PathComponent.fromRange()", () => {
  it("checks and takes what lies in the middle", () => {
    const around = toUtf8("/..name\0");
    expect(PathComponent.fromRange(around, 3, 7).toString()).toBe("name");
    expect(() => PathComponent.fromRange(around, 1, 3)).toThrow(CastoreError);
    expect(() => PathComponent.fromRange(around, 1, 2)).toThrow(CastoreError);
    expect(() => PathComponent.fromRange(around, 3, 3)).toThrow(CastoreError);
  });
});

describe("PathComponent", () => {
  it("compares, equals and keys by bytes", () => {
    return fc.assert(
      fc.property(pathComponents(), pathComponents(), (a, b) => {
        const order = Math.sign(Buffer.compare(a.toBytes(), b.toBytes()));
        expect(Math.sign(a.compare(b))).toBe(order);
        expect(a.equals(b)).toBe(order === 0);
        expect(a.key === b.key).toBe(order === 0);
        expect(Math.sign(a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).toBe(order);
        expect(a.byteLength).toBe(a.toBytes().byteLength);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it("throws on what is no name, and says which rule", () => {
    expect(() => PathComponent.parse("a/b")).toThrow('Invalid name "a/b": it contains a slash');
  });

  it("writes its bytes where it is told, and only there", () => {
    const target = new Uint8Array(5);
    PathComponent.parse("abc").writeTo(target, 1);
    expect(target).toEqual(Uint8Array.of(0, 0x61, 0x62, 0x63, 0));
  });
});
