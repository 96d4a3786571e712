import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyTree } from "./copy-tree.js";
import { editTree } from "./edit-tree.js";
import { makeTrees } from "./make-trees.js";
import { joinBytes, measureDiskUse, measureTree, walkTree } from "./walk-tree.js";

/** Files of the source tree: enough for each kind of edit to happen. */
const FILES = 400;
const LARGE_BYTES = 16 * 65_536;

let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "tvix-bench-trees-"));
});

afterEach(() => {
  rmSync(scratch, { recursive: true });
});

function makeSource(): string {
  const source = join(scratch, "source");
  mkdirSync(join(source, "sub/__pycache__/deep"), { recursive: true });
  for (let i = 0; i < FILES; i++) {
    const name = `file-${String(i).padStart(3, "0")}`;
    writeFileSync(join(source, i % 2 === 0 ? name : `sub/${name}`), `content ${i}\n`.repeat(i % 9));
  }
  writeFileSync(join(source, "sub/__pycache__/deep/x"), "compiled");
  writeFileSync(join(source, "sub/module.pyc"), "compiled");
  // A name that is not UTF-8, and one that only begins like a folder that is left out.
  writeFileSync(Buffer.from(`${source}/latin1-\xe9`, "latin1"), "bytes");
  writeFileSync(join(source, "sub/__pycache__x"), "kept");
  writeFileSync(join(source, "run"), "#!/bin/sh\n");
  chmodSync(join(source, "run"), 0o555);
  symlinkSync("nowhere/at/all", join(source, "link"));
  return source;
}

function digestTree(root: string): string {
  const hash = createHash("sha256");
  for (const { relative, stats } of walkTree(root)) {
    hash.update(relative).update(`\0${stats.mode}\0${stats.isFile() ? stats.mtimeMs : ""}\0`);
    const path = joinBytes(Buffer.from(root), relative);
    if (stats.isFile()) hash.update(readFileSync(path));
    if (stats.isSymbolicLink()) hash.update(readlinkSync(path));
  }
  return hash.digest("hex");
}

describe("makeTrees()", () => {
  it("makes the same trees again from the same sources", () => {
    const recipe = { sources: [makeSource()], largeBytes: LARGE_BYTES };
    const first = makeTrees(join(scratch, "first"), recipe);
    const second = makeTrees(join(scratch, "second"), recipe);
    for (const name of ["T1", "T2", "T3"] as const) {
      expect(digestTree(second[name])).toBe(digestTree(first[name]));
    }
    expect(digestTree(first.T3)).not.toBe(digestTree(first.T1));
  });

  it("copies content, names, links and the execute bit; leaves compiled Python out", () => {
    const source = makeSource();
    const { T1 } = makeTrees(join(scratch, "trees"), { sources: [source], largeBytes: 16 });
    const copy = join(T1, source);
    expect(readlinkSync(join(copy, "link"))).toBe("nowhere/at/all");
    expect(statSync(join(copy, "run")).mode & 0o777).toBe(0o755);
    expect(readFileSync(Buffer.from(`${copy}/latin1-\xe9`, "latin1"), "utf8")).toBe("bytes");
    expect(readFileSync(join(copy, "sub/__pycache__x"), "utf8")).toBe("kept");
    expect(existsSync(join(copy, "sub/__pycache__"))).toBe(false);
    expect(existsSync(join(copy, "sub/module.pyc"))).toBe(false);
    expect(measureTree(copy)).toMatchObject({ files: FILES + 3, directories: 2, symlinks: 1 });
  });

  it("gives T2 its five files and its size", () => {
    const large = join(scratch, "large-source");
    mkdirSync(large);
    writeFileSync(join(large, "enough"), new Uint8Array(LARGE_BYTES).fill(7));
    const { T2 } = makeTrees(join(scratch, "trees"), { sources: [large], largeBytes: LARGE_BYTES });
    expect(measureTree(T2)).toEqual({ files: 5, directories: 1, symlinks: 0, bytes: LARGE_BYTES });
    const text = readFileSync(join(T2, "text.log"), "utf8");
    expect(text.split("\n").slice(0, -1)).toSatisfy((lines: string[]) =>
      lines.every((line) =>
        /^2024-\d\d-\d\dT\d\d:\d\d (127\.0\.0\.1|10\.0\.0\.7) (GET|PUT|HEAD) \S+[0-9a-f]{8} (200|404) \d+$/.test(
          line,
        ),
      ),
    );
    const random = readFileSync(join(T2, "random.bin"));
    const shifted = readFileSync(join(T2, "shifted.bin"));
    expect(shifted.subarray(1000, 1001)).toEqual(Buffer.of((random[0] ?? 0) ^ 0xff));
    expect(shifted.subarray(1001, 1100)).toEqual(random.subarray(1, 100));
  });

  it("refuses sources that do not exist, and trees that do", () => {
    const recipe = { sources: [join(scratch, "absent")], largeBytes: 16 };
    expect(() => makeTrees(join(scratch, "trees"), recipe)).toThrow(/^Cannot make trees: there is/);
    mkdirSync(join(scratch, "trees/T3"), { recursive: true });
    const other = { sources: [makeSource()], largeBytes: 16 };
    expect(() => makeTrees(join(scratch, "trees"), other)).toThrow(/T3 exists$/);
  });
});

describe("editTree()", () => {
  it("edits one file in a hundred, in four ways, and no other", () => {
    const source = makeSource();
    const before = new Map(fileContents(source));
    expect(editTree(source, 10)).toBe(4);
    const after = new Map(fileContents(source));
    const changed = [...before].filter(([name, content]) => after.get(name) !== content);
    const added = [...after.keys()].filter((name) => !before.has(name));
    expect(changed.map(([name]) => after.has(name))).toEqual([true, true, false]);
    expect(added).toHaveLength(1);
  });

  it("with another offset edits other files", () => {
    const source = makeSource();
    const before = new Map(fileContents(source));
    const editedWith = (offset: number): string[] => {
      const copy = join(scratch, `copy-${offset}`);
      copyTree(source, copy);
      editTree(copy, offset);
      const after = new Map(fileContents(copy));
      return [...before.keys()].filter((name) => after.get(name) !== before.get(name));
    };
    const first = editedWith(10);
    expect(first).toHaveLength(3);
    expect(editedWith(30).filter((name) => first.includes(name))).toEqual([]);
  });
});

function fileContents(root: string): [string, string][] {
  return [...walkTree(root)]
    .filter(({ stats }) => stats.isFile())
    .map(({ relative }) => [
      relative.toString("latin1"),
      readFileSync(joinBytes(Buffer.from(root), relative), "latin1"),
    ]);
}

describe("measureDiskUse()", () => {
  it("counts a file once, and what is allocated", () => {
    const folder = join(scratch, "use");
    mkdirSync(folder);
    writeFileSync(join(folder, "a"), new Uint8Array(10_000).fill(1));
    const { bytes, allocatedBytes } = measureDiskUse(folder);
    expect(bytes).toBe(10_000);
    expect(allocatedBytes).toBeGreaterThanOrEqual(10_000);
  });
});
