import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { B3Digest } from "../digest.js";
import { directoryNode } from "../nodes/node.js";
import { directory, file, rawBytes, symlink, writeFileTree } from "../testing/file-trees.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { chooseComparer } from "./choose-comparer.js";
import { LstatComparer } from "./lstat-comparer.js";
import type { StatComparer } from "./stat-comparer.js";
import {
  decodeStatRecord,
  EntryKind,
  finishStatRecord,
  leafName,
  leafStatOffset,
  type StatRecord,
  StatRecordBuilder,
} from "./stat-record.js";
import { loadStatx, STATX_WORD, type Statx } from "./statx.js";
import { StatxComparer } from "./statx-comparer.js";

const STAT_LENGTH = 44;
/** Later than anything that a test makes. */
const LATER_NS = 2n ** 62n;
const NO_STATX: Statx = () => -1;

const scratch = scratchDirectory();
const loaded = loadStatx();
const statx = loaded ?? NO_STATX;

beforeEach(() => {
  writeFileTree(
    scratch("d"),
    directory({ f: file("f"), g: file("g", 0o755), l: symlink("f"), "\xe9\n": file("é") }),
  );
});

afterEach(() => {
  vi.restoreAllMocks();
});

/**
 * A record of files and links in the directory at `path`.
 *
 * @param names - of which the record says what is true
 * @param namesOfF - of which it says what is true of `f`
 */
function recordOf(path: string, names: readonly string[], namesOfF: string[] = []): StatRecord {
  const stat = (at: string) => fs.lstatSync(rawBytes(at), { bigint: true });
  const builder = new StatRecordBuilder(stat(path), LATER_NS);
  for (const name of names) builder.add(name, EntryKind.FILE, stat(`${path}/${name}`));
  for (const name of namesOfF) builder.add(name, EntryKind.FILE, stat(`${path}/f`));
  const node = directoryNode(B3Digest.fromBytes(new Uint8Array(32)), 0n);
  const record = decodeStatRecord(finishStatRecord(builder.build(), node, [], "documented"));
  return record ?? expect.fail("It is no record");
}

/** What differs from the record: names of files and links, and "." for the directory itself. */
function differences(comparer: StatComparer, path: string, record: StatRecord): string[] {
  const isEntered = comparer.enter(path, record);
  const different = record.leaves.filter((leaf) => !comparer.isSame(leaf));
  return [...(isEntered ? [] : ["."]), ...different.map((leaf) => leafName(record, leaf))];
}

function openFiles(): number {
  return fs.readdirSync("/proc/self/fd").length;
}

const COMPARERS: [string, boolean, () => StatComparer][] = [
  ["LstatComparer", false, () => new LstatComparer()],
  ["StatxComparer (needs Linux and koffi)", loaded === undefined, () => new StatxComparer(statx)],
  ["StatxComparer without an answer", false, () => new StatxComparer(NO_STATX)],
];

describe.each(COMPARERS)("%s", (_, isMissing, create) => {
  const NAMES = ["f", "g", "l", "\xe9\n"];
  const found = (path: string, record: StatRecord): string[] => {
    using comparer = create();
    return differences(comparer, path, record);
  };
  const table = isMissing ? it.skip : it;

  table("finds what has not changed to be the same", () => {
    const record = recordOf(scratch("d"), NAMES);
    expect(record.leaves).toHaveLength(NAMES.length);
    expect(found(scratch("d"), record)).toEqual([]);
  });

  table("sees a difference in every byte of a stat", () => {
    const record = recordOf(scratch("d"), NAMES);
    const places = record.leaves.map((leaf) => [
      leafName(record, leaf),
      leafStatOffset(record, leaf),
    ]);
    for (const [name, offset] of [[".", record.statOffset], ...places] as [string, number][]) {
      for (let at = offset; at < offset + STAT_LENGTH; at++) {
        record.bytes[at] = (record.bytes[at] as number) ^ 1;
        expect(found(scratch("d"), record)).toEqual([name]);
        record.bytes[at] = (record.bytes[at] as number) ^ 1;
      }
    }
  });

  table.each<[string, () => void, string[]]>([
    ["nothing in place of a file", () => fs.rmSync(scratch("d/f")), [".", "f"]],
    ["nothing at all", () => fs.rmSync(scratch("d"), { recursive: true }), [".", ...NAMES]],
    [
      "a file in its place",
      () => [fs.rmSync(scratch("d"), { recursive: true }), fs.writeFileSync(scratch("d"), "")],
      [".", ...NAMES],
    ],
    ["a longer file", () => fs.appendFileSync(scratch("d/f"), "x"), ["f"]],
    ["another mode", () => fs.chmodSync(scratch("d/g"), 0o700), ["g"]],
    [
      "a link to the same file",
      () => [fs.renameSync(scratch("d/f"), scratch("f")), fs.symlinkSync("../f", scratch("d/f"))],
      [".", "f"],
    ],
  ])("sees %s", (_, change, expected) => {
    const record = recordOf(scratch("d"), NAMES);
    change();
    expect(found(scratch("d"), record)).toEqual(expected);
  });

  table("does not follow a link to the directory", () => {
    const record = recordOf(scratch("d"), NAMES);
    fs.symlinkSync("d", scratch("link"));
    expect(found(scratch("link"), record)).toContain(".");
  });

  table.each([
    ["before 1970", -1.5],
    ["in 1970", 0],
    ["in 1901", -(2 ** 31)],
    ["after 2038", 2 ** 31],
    ["after 2106", 2 ** 32 + 0.25],
  ])("knows a time %s", (_, seconds) => {
    fs.utimesSync(scratch("d/f"), seconds, seconds);
    const record = recordOf(scratch("d"), NAMES);
    expect(found(scratch("d"), record)).toEqual([]);
    fs.utimesSync(scratch("d/f"), seconds + 1, seconds + 1);
    expect(found(scratch("d"), record)).toEqual(["f"]);
  });

  table("knows the longest name and a directory by a name that is not UTF-8", () => {
    const path = `${scratch("d")}/\xff`;
    const name = "\xfe".repeat(255);
    writeFileTree(path, directory({ [name]: file() }));
    const record = recordOf(path, [name]);
    expect(found(path, record)).toEqual([]);
    fs.chmodSync(rawBytes(`${path}/${name}`), 0o700);
    expect(found(path, record)).toEqual([name]);
  });

  // No name, which only a damaged record has: the answer is that of the path that it makes.
  table.each<[string, string, boolean]>([
    ["of another directory", "../d/f", true],
    ["with a NUL byte", "f\0g", false],
    ["that is absolute", "/", false],
  ])("takes a name %s as a part of a path", (_, name, isSame) => {
    const damaged = recordOf(scratch("d"), [], [name]);
    expect(found(scratch("d"), damaged)).toEqual(isSame ? [] : [name]);
  });

  table("knows nothing of a leaf before it is in a directory and after it has left it", () => {
    const record = recordOf(scratch("d"), NAMES);
    const comparer = create();
    expect(record.leaves.map((leaf) => comparer.isSame(leaf))).not.toContain(true);
    expect(comparer.enter(scratch("d"), record)).toBe(true);
    comparer[Symbol.dispose]();
    expect(record.leaves.map((leaf) => comparer.isSame(leaf))).not.toContain(true);
  });

  const fdTable = process.platform === "linux" ? table : it.skip;
  fdTable("holds no more than one file open, and none in the end (needs /proc)", () => {
    const record = recordOf(scratch("d"), NAMES);
    const before = openFiles();
    const comparer = create();
    for (let i = 0; i < 5; i++) {
      expect(comparer.enter(scratch("d"), record)).toBe(true);
      expect(comparer.enter(scratch("absent"), record)).toBe(false);
      expect(openFiles()).toBe(before);
      expect(comparer.enter(scratch("d"), record)).toBe(true);
      expect(openFiles()).toBeLessThanOrEqual(before + 1);
    }
    comparer[Symbol.dispose]();
    comparer[Symbol.dispose]();
    expect(openFiles()).toBe(before);
  });
});

describe.skipIf(loaded === undefined)("StatxComparer (needs Linux and koffi)", () => {
  /** The real call, with something done to what it finds for files and links. */
  const altered = (alter: (words: Uint32Array) => void): StatComparer =>
    new StatxComparer((directory, name, flags, wanted, result) => {
      const status = statx(directory, name, flags, wanted, result);
      if (name[0] !== 0) alter(new Uint32Array(result.buffer));
      return status;
    });

  it("looks at no entry by its path", () => {
    const record = recordOf(scratch("d"), ["f", "l"]);
    const lstat = vi.spyOn(fs, "lstatSync");
    using comparer = new StatxComparer(statx);
    expect(differences(comparer, scratch("d"), record)).toEqual([]);
    expect(lstat).not.toHaveBeenCalled();
  });

  it.each<[string, (words: Uint32Array) => void]>([
    ["does not tell all", (words) => words.set([0x7ff & ~0x40], STATX_WORD.mask)],
    ["tells of another device", (words) => words.set([0xfff], STATX_WORD.devMajor)],
  ])("asks lstat where the call %s", (_, alter) => {
    const record = recordOf(scratch("d"), ["f", "l"]);
    const lstat = vi.spyOn(fs, "lstatSync");
    using comparer = altered(alter);
    expect(differences(comparer, scratch("d"), record)).toEqual([]);
    expect(lstat).toHaveBeenCalledTimes(2);
    fs.appendFileSync(scratch("d/f"), "x");
    expect(differences(comparer, scratch("d"), record)).toEqual(["f"]);
  });

  it("asks lstat where the directory cannot be opened", () => {
    const record = recordOf(scratch("d"), ["f", "l"]);
    vi.spyOn(fs, "openSync").mockImplementation(() => {
      throw new Error("EMFILE");
    });
    using comparer = new StatxComparer(statx);
    expect(differences(comparer, scratch("d"), record)).toEqual([]);
    fs.appendFileSync(scratch("d/f"), "x");
    expect(differences(comparer, scratch("d"), record)).toEqual(["f"]);
  });
});

describe("chooseComparer()", () => {
  it("takes lstat for a small tree", () => {
    expect(chooseComparer(10n)).toBeInstanceOf(LstatComparer);
  });

  it.skipIf(loaded === undefined)("takes statx for a large one (needs Linux and koffi)", () => {
    expect(chooseComparer(100_000n)).toBeInstanceOf(StatxComparer);
  });
});
