import { describe, expect, it } from "vitest";
import { B3Digest } from "../digest.js";
import { Directory } from "../nodes/directory.js";
import { directoryNode } from "../nodes/node.js";
import { PathComponent } from "../path/component.js";
import { decodeStatRecord, EntryKind, StatRecordBuilder } from "./stat-record.js";
import { StatRecordTree } from "./stat-record-tree.js";

const SECOND = 1_000_000_000n;
const OLD = { dev: 1n, ino: 2n, size: 3n, mode: 0o100644n, mtimeNs: SECOND, ctimeNs: SECOND };
const STAT = OLD as ConstructorParameters<typeof StatRecordBuilder>[0];
const NODE = directoryNode(B3Digest.fromBytes(new Uint8Array(32).fill(7)), 0n);

/** A directory at `path` with these directories, and with so many files. */
function assembled(path: string, directories: readonly string[], files = 0, nowNs = 9n * SECOND) {
  const names = path === "" ? [] : path.split("/").map((name) => PathComponent.parse(name));
  const entries = directories.map((name) => ({ name: PathComponent.parse(name), node: NODE }));
  const builder = new StatRecordBuilder(STAT, nowNs);
  for (const name of directories) builder.add(name, EntryKind.DIRECTORY);
  for (let i = 0; i < files; i++) builder.add(`z${i}`, EntryKind.FILE, STAT);
  const directory = Directory.fromEntries(entries);
  return { directory, node: NODE, record: builder.build(), path: names };
}

/** The paths of the records that come of these directories. */
function paths(root: string, directories: readonly ReturnType<typeof assembled>[]): string[] {
  const tree = new StatRecordTree(root, {});
  return directories
    .flatMap((directory) => tree.add(directory))
    .map(({ key }) => Buffer.from(key).toString("latin1"));
}

describe("StatRecordTree", () => {
  it("puts small records into that of their parent", () => {
    const tree = new StatRecordTree("/r", {});
    expect(tree.add(assembled("a/b", []))).toEqual([]);
    expect(tree.add(assembled("a/c", [], 3))).toEqual([]);
    expect(tree.add(assembled("a", ["b", "c"]))).toEqual([]);
    const [record] = tree.add(assembled("", ["a"]));
    const root = decodeStatRecord(record?.value ?? expect.fail());
    const a = decodeStatRecord(root?.directories[0]?.record ?? expect.fail());
    expect(a?.directories.map(({ name }) => name)).toEqual(["b", "c"]);
    const c = decodeStatRecord(a?.directories[1]?.record ?? expect.fail());
    expect(c?.leaves).toHaveLength(3);
  });

  it("lets a large record stand by itself, and its parent say so", () => {
    const tree = new StatRecordTree("/r", {});
    expect(tree.add(assembled("large", [], 2000))).toHaveLength(1);
    expect(tree.add(assembled("small", []))).toHaveLength(0);
    const [record] = tree.add(assembled("", ["large", "small"]));
    const root = decodeStatRecord(record?.value ?? expect.fail());
    expect(root?.directories.map((entry) => entry.record !== undefined)).toEqual([false, true]);
  });

  it("does not gather without limit", () => {
    const names = Array.from({ length: 8000 }, (_, i) => `d${i}`);
    const tree = new StatRecordTree("/r", {});
    const alone = names.flatMap((name) => tree.add(assembled(name, [], 2)));
    const [root] = tree.add(assembled("", names));
    expect(alone.length).toBeGreaterThan(1000);
    expect(root?.value.byteLength).toBeLessThan(1024 * 1024 + 8000 * 64);
  });

  it("writes what waited for a directory that has no record", () => {
    const young = assembled("a", ["b", "c"], 0, SECOND);
    expect(young.record.byteLength).toBe(0);
    const made = [assembled("a/b", []), assembled("a/c", []), young, assembled("", ["a"])];
    expect(paths("/r", made)).toEqual(["/r/a/b", "/r/a/c", "/r"]);
  });

  it("keeps directories of the same name apart", () => {
    const tree = new StatRecordTree("/r", {});
    for (const path of ["a/x", "a", "b/x"]) expect(tree.add(assembled(path, []))).toEqual([]);
    const [record] = tree.add(assembled("", ["a", "b"]));
    const root = decodeStatRecord(record?.value ?? expect.fail());
    // "b" was never complete: what waited in it belongs to nobody.
    expect(root?.directories.map((entry) => entry.record !== undefined)).toEqual([true, false]);
  });

  it("knows the paths in the root of all", () => {
    expect(paths("/", [assembled("a", [], 2000), assembled("", ["a"])])).toEqual(["/a", "/"]);
  });
});
