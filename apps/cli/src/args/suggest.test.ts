import { describe, expect, it } from "vitest";
import { editDistance, suggest } from "./suggest.js";

describe("editDistance()", () => {
  it.each([
    ["", "", 0],
    ["", "abc", 3],
    ["abc", "abc", 0],
    ["imprt", "import", 1],
    ["improt", "import", 1],
    ["abc", "xyz", 3],
    ["kitten", "sitting", 3],
  ])("between %j and %j is %i", (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});

describe("suggest()", () => {
  const NAMES = ["import", "ls", "tree", "cat", "info", "nar dump", "check", "completion"];

  it.each([
    ["imprt", "import"],
    ["improt", "import"],
    ["chekc", "check"],
    ["sl", "ls"],
    ["treee", "tree"],
    ["comp", "completion"],
    ["infos", "info"],
  ])("for %j is %j", (typed, expected) => {
    expect(suggest(typed, NAMES)).toBe(expected);
  });

  it.each(["xyzzy", "daemon", "x", ""])("for %j is nothing", (typed) => {
    expect(suggest(typed, NAMES)).toBeUndefined();
  });
});
