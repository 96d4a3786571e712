import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PathComponent } from "../path/component.js";
import { directories } from "../testing/arbitraries.js";
import { EMPTY_DIGEST } from "../testing/fixtures.js";
import { SeededRandom } from "../testing/seeded-random.js";
import { Directory, type DirectoryEntry, MAX_DIRECTORY_ENTRIES } from "./directory.js";
import { directoryNode, fileNode, MAX_NODE_SIZE, symlinkNode } from "./node.js";
import { SymlinkTarget } from "./symlink-target.js";

function entry(
  name: string,
  node: DirectoryEntry["node"] = fileNode(EMPTY_DIGEST, 1n),
): DirectoryEntry {
  return { name: PathComponent.parse(name), node };
}

function names(directory: Directory): string[] {
  return directory.entries.map(({ name }) => name.toString());
}

describe("Directory.fromEntries()", () => {
  it("puts entries in byte order, whatever order they come in", () => {
    const directory = Directory.fromEntries(["b", "é", "ab", "B", "a", "a.b"].map((n) => entry(n)));
    expect(names(directory)).toEqual(["B", "a", "a.b", "ab", "b", "é"]);
  });

  it("leaves the array it is given alone", () => {
    const entries = [entry("b"), entry("a")];
    Directory.fromEntries(entries);
    expect(entries.map(({ name }) => name.toString())).toEqual(["b", "a"]);
  });

  it("refuses a name twice, also for different kinds", () => {
    const link = symlinkNode(SymlinkTarget.parse("x"));
    expect(() => Directory.fromEntries([entry("a"), entry("b"), entry("a", link)])).toThrow(
      expect.objectContaining({ reason: "duplicate-name", code: "INVALID_ARGUMENT" }),
    );
  });
});

describe("Directory.fromSortedEntries()", () => {
  it("refuses what is not sorted, and names it", () => {
    const unsorted = (): unknown => Directory.fromSortedEntries([entry("b"), entry("a")]);
    expect(unsorted).toThrow(expect.objectContaining({ reason: "wrong-sorting" }));
    expect(unsorted).toThrow('Invalid directory: "a" is not sorted: it comes after "b"');
  });

  it("refuses a million and one entries", () => {
    const entries = new Array<DirectoryEntry>(MAX_DIRECTORY_ENTRIES + 1).fill(entry("a"));
    expect(() => Directory.fromSortedEntries(entries)).toThrow(
      expect.objectContaining({ reason: "too-many-entries" }),
    );
  });

  it("refuses sizes above 64 bits in sum, by either rule", () => {
    const almost = MAX_NODE_SIZE - 2n;
    const fits = Directory.fromSortedEntries([entry("a", directoryNode(EMPTY_DIGEST, almost))]);
    expect(fits.size("doubled")).toBe(MAX_NODE_SIZE);
    expect(() =>
      Directory.fromSortedEntries([entry("a", directoryNode(EMPTY_DIGEST, almost + 1n))]),
    ).toThrow(expect.objectContaining({ reason: "size-overflow" }));
  });

  it("does not count the sizes of files", () => {
    const big = fileNode(EMPTY_DIGEST, MAX_NODE_SIZE);
    const directory = Directory.fromSortedEntries([entry("a", big), entry("b", big)]);
    expect(directory.size()).toBe(2n);
  });
});

describe("Directory.size()", () => {
  it("counts entries and the sizes of directories, entries twice when doubled", () => {
    const directory = Directory.fromEntries([
      entry("a", directoryNode(EMPTY_DIGEST, 5n)),
      entry("b", directoryNode(EMPTY_DIGEST, 7n)),
      entry("c"),
      entry("d", symlinkNode(SymlinkTarget.parse("x"))),
    ]);
    expect(directory.size()).toBe(16n);
    expect(directory.size("documented")).toBe(16n);
    expect(directory.size("doubled")).toBe(20n);
  });
});

describe("Directory.get()", () => {
  it("finds each of its names and no other", () => {
    return fc.assert(
      fc.property(directories(20), directories(3), (directory, others) => {
        for (const { name, node } of directory.entries) expect(directory.get(name)).toBe(node);
        const own = new Set(directory.entries.map(({ name }) => name.key));
        for (const { name } of others.entries) {
          expect(directory.get(name) === undefined).toBe(!own.has(name.key));
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("finds nothing in an empty one", () => {
    expect(Directory.EMPTY.get(PathComponent.parse("a"))).toBeUndefined();
  });
});

it("Directory.fromEntries() sorts 100,000 entries that come in random order", () => {
  const random = new SeededRandom(1);
  const entries = Array.from({ length: 100_000 }, (_, i) => entry(`${random.uint32()}-${i}`));
  const sorted = Directory.fromEntries(entries).entries;
  expect(sorted).toHaveLength(100_000);
  expect(
    sorted.every(({ name }, i) => i === 0 || (sorted[i - 1]?.name.compare(name) ?? 0) < 0),
  ).toBe(true);
});
