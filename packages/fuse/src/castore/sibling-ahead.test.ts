import {
  blake3,
  Directory,
  type DirectoryEntry,
  type FileNode,
  fileNode,
  PathComponent,
  SymlinkTarget,
  symlinkNode,
  toUtf8,
} from "@tvix/castore";
import { SeededRandom } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { fileAt } from "./entry-order.js";
import { entryInode } from "./inode-number.js";
import { SiblingAhead } from "./sibling-ahead.js";

const MAX_FILE = 10_000;
const FILE = 1000;
const PARENT = 5;

function entry(i: number, node: DirectoryEntry["node"]): DirectoryEntry {
  return { name: PathComponent.parse(String(i).padStart(6, "0")), node };
}

/** A directory of so many files, each with a content of its own. */
function directoryOfFiles(count: number, size = FILE, seed = ""): Directory {
  return Directory.fromEntries(
    Array.from({ length: count }, (_, i) =>
      entry(i, fileNode(blake3(toUtf8(`${seed}${i}`)), BigInt(size))),
    ),
  );
}

/** Reads files, and counts what is fetched for them. */
class Reader {
  readonly ahead: SiblingAhead;
  readonly asked = new Set<string>();
  /** Files that were read before they had been asked for. */
  alone = 0;

  constructor(directoryOf: (slot: number) => Directory | undefined) {
    this.ahead = new SiblingAhead(MAX_FILE, directoryOf);
  }

  read(directory: Directory, index: number, parentSlot = PARENT): number {
    const file = fileAt(directory, index) as FileNode;
    if (!this.asked.has(file.digest.key)) this.alone++;
    const pieces = this.ahead.note(file.digest, Number(file.size), { parentSlot, index });
    for (const { key } of pieces) this.asked.add(key);
    return pieces.length;
  }
}

describe("SiblingAhead.note()", () => {
  it("asks for nothing at the first file", () => {
    const directory = directoryOfFiles(10);
    expect(new Reader(() => directory).read(directory, 0)).toBe(0);
  });

  it("asks for the files that follow once two were read in order", () => {
    const directory = directoryOfFiles(1000);
    const reader = new Reader(() => directory);
    reader.read(directory, 3);
    const pieces = reader.read(directory, 4);
    expect(pieces).toBe(65);
    expect(reader.asked.has((fileAt(directory, 5) as FileNode).digest.key)).toBe(true);
  });

  it("has asked for all but the first files of a directory that is read in order", () => {
    const directory = directoryOfFiles(5000);
    const reader = new Reader(() => directory);
    for (let i = 0; i < 5000; i++) reader.read(directory, i);
    expect(reader.alone).toBe(2);
    expect(reader.asked.size).toBe(4998);
  });

  it("begins at once in the next directory, as long as it was right", () => {
    const directories = Array.from({ length: 50 }, (_, i) => directoryOfFiles(20, FILE, `${i}/`));
    const reader = new Reader((slot) => directories[slot]);
    for (const [slot, directory] of directories.entries()) {
      for (let i = 0; i < 20; i++) reader.read(directory, i, slot);
    }
    expect(reader.alone).toBe(51);
  });

  it("leaves out directories, links, empty files and large files", () => {
    const small = fileNode(blake3(toUtf8("small")), 10n);
    const others = [
      symlinkNode(SymlinkTarget.parse("x")),
      fileNode(blake3(new Uint8Array(0)), 0n),
      fileNode(blake3(toUtf8("large")), BigInt(MAX_FILE + 1)),
    ];
    const first = fileNode(blake3(toUtf8("first")), 1n);
    const second = fileNode(blake3(toUtf8("second")), 1n);
    const nodes = [first, second, ...others, small];
    const directory = Directory.fromEntries(nodes.map((node, i) => entry(i, node)));
    const reader = new Reader(() => directory);
    reader.read(directory, 0);
    expect(reader.read(directory, 1)).toBe(1);
    expect(reader.asked).toEqual(new Set([small.digest.key]));
  });

  it("asks for little where files are read in any order", () => {
    const directory = directoryOfFiles(5000);
    const reader = new Reader(() => directory);
    const random = new SeededRandom(1);
    for (let i = 0; i < 2000; i++) reader.read(directory, random.below(5000));
    expect(reader.asked.size).toBeLessThan(1000);
  });

  it("stops to ask in further directories when of each only one file is read", () => {
    const directories = Array.from({ length: 200 }, (_, i) => directoryOfFiles(99, FILE, `${i}/`));
    const reader = new Reader((slot) => directories[slot]);
    const [first] = directories as [Directory];
    for (let i = 0; i < 99; i++) reader.read(first, i, 0);
    const before = reader.asked.size;
    for (let slot = 1; slot < 100; slot++) reader.read(directories[slot] as Directory, 5, slot);
    const between = reader.asked.size;
    for (let slot = 100; slot < 200; slot++) reader.read(directories[slot] as Directory, 5, slot);
    expect(between).toBeGreaterThan(before);
    expect(reader.asked.size).toBe(between);
  });

  it("follows the order of inode numbers in a large directory", () => {
    const directory = directoryOfFiles(12_000);
    const byInode = Array.from({ length: 12_000 }, (_, i) => i).sort(
      (a, b) => inodeOf(directory, a) - inodeOf(directory, b),
    );
    const reader = new Reader(() => directory);
    for (const index of byInode) reader.read(directory, index);
    expect(reader.alone).toBe(2);
  });

  it("changes to the order of inode numbers in the middle of a large directory", () => {
    const directory = directoryOfFiles(12_000);
    const byInode = Array.from({ length: 12_000 }, (_, i) => i).sort(
      (a, b) => inodeOf(directory, a) - inodeOf(directory, b),
    );
    const reader = new Reader(() => directory);
    for (let i = 0; i < 100; i++) reader.read(directory, i);
    for (const index of byInode.slice(6000)) reader.read(directory, index);
    expect(reader.alone).toBeLessThan(10);
  });

  it("is not misled by a slot that belongs to another directory by now", () => {
    const [before, now] = [directoryOfFiles(100), directoryOfFiles(100, FILE, "now ")];
    let current: Directory | undefined = before;
    const reader = new Reader(() => current);
    for (let i = 0; i < 10; i++) reader.read(before, i);
    current = now;
    reader.read(now, 11);
    const file = fileAt(now, 12) as FileNode;
    expect(reader.asked.has(file.digest.key)).toBe(true);
    current = undefined;
    expect(reader.read(directoryOfFiles(100, FILE, "gone "), 5)).toBe(0);
  });
});

function inodeOf(directory: Directory, index: number): number {
  return entryInode(1, directory.entries[index] as DirectoryEntry);
}
