import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toUtf8 } from "../bytes.js";
import { pathComponents } from "../testing/arbitraries.js";
import { PathComponent } from "./component.js";
import { Path } from "./path.js";

describe("Path.parse()", () => {
  it.each([
    ["", []],
    ["a", ["a"]],
    ["a/b", ["a", "b"]],
    ["a/.b/..c/...", ["a", ".b", "..c", "..."]],
    ["a b/é", ["a b", "é"]],
  ])("reads %j", (text, names) => {
    const path = Path.parse(text);
    expect(path.components.map(String)).toEqual(names);
    expect(path.toString()).toBe(text);
  });

  it.each(["/", "/a", "a/", "a//b", "//", ".", "..", "a/..", "a/./b", "../a", "a\0", "a/\0"])(
    "refuses %j",
    (text) => {
      expect(() => Path.parse(text)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    },
  );

  it("refuses a name of 256 bytes anywhere", () => {
    expect(() => Path.parse(`a/${"x".repeat(256)}/b`)).toThrow(
      expect.objectContaining({ reason: "too-long" }),
    );
  });
});

describe("Path", () => {
  it("is read from what toBytes() gives", () => {
    return fc.assert(
      fc.property(fc.array(pathComponents(), { maxLength: 6 }), (names) => {
        const path = Path.of(...names);
        const again = Path.fromBytes(path.toBytes());
        expect(again.components.map((name) => name.key)).toEqual(names.map((name) => name.key));
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("joins, and leads back", () => {
    const path = Path.parse("a/b").join(PathComponent.parse("c"));
    expect(path.toBytes()).toEqual(toUtf8("a/b/c"));
    expect(path.fileName?.toString()).toBe("c");
    expect(path.parent?.toString()).toBe("a/b");
    expect(Path.parse("a").parent?.components).toEqual([]);
  });

  it("has neither parent nor name when it is empty", () => {
    expect(Path.EMPTY.parent).toBeUndefined();
    expect(Path.EMPTY.fileName).toBeUndefined();
    expect(Path.EMPTY.toBytes()).toEqual(new Uint8Array(0));
  });
});
