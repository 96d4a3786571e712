import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sortedStorePaths } from "./sorted.js";
import { StorePath } from "./store-path.js";

function path(first: string, name: string): StorePath {
  return StorePath.parse(`${first}${"0".repeat(31)}-${name}`);
}

describe("sortedStorePaths()", () => {
  it.each([[[]], [[path("0", "a")]], [[path("0", "a"), path("0", "b"), path("1", "a")]]])(
    "leaves alone what is sorted",
    (paths) => {
      expect(sortedStorePaths(paths)).toBe(paths);
    },
  );

  it("sorts by digest, then by the bytes of the name", () => {
    const names = ["0-B", "0-a", "0-a-1", "0-a.1", "0-b", "1-A", "b-A", "z-A"];
    const paths = names.map((name) => path(name.slice(0, 1), name.slice(2)));
    expect(sortedStorePaths([...paths].reverse())).toEqual(paths);
    expect(sortedStorePaths([...paths].reverse()).map(String)).toEqual(paths.map(String));
  });

  it("takes each path once, like a set of texts", () => {
    const some = fc.array(
      fc.tuple(fc.constantFrom(..."0az"), fc.constantFrom("a", "B", "a-", "a1")),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(some, (parts) => {
        const paths = parts.map(([first, name]) => path(first, name));
        const expected = [...new Set(paths.map(String))].sort();
        expect(sortedStorePaths(paths).map(String)).toEqual(expected);
      }),
      { seed: 410, numRuns: 200 },
    );
  });
});
