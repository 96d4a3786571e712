import {
  blake3,
  Directory,
  directoryNode,
  fileNode,
  MemoryDirectoryService,
  type Node,
  PathComponent,
} from "@tvix/castore";
import { describe, expect, it } from "vitest";
import { namesOf, type TreeStep, walkBelow } from "./walk-below.js";

const FILE = fileNode(blake3(new Uint8Array()), 0n);

async function store(
  directories: MemoryDirectoryService,
  entries: Record<string, Node>,
): Promise<Node> {
  const directory = Directory.fromEntries(
    Object.entries(entries).map(([name, node]) => ({ name: PathComponent.parse(name), node })),
  );
  return directoryNode(await directories.put(directory), directory.size());
}

async function sampleTree() {
  const directories = new MemoryDirectoryService();
  const empty = await store(directories, {});
  const inner = await store(directories, { f: FILE, g: FILE });
  return { directories, root: await store(directories, { a: inner, b: empty, c: inner, d: FILE }) };
}

async function lines(steps: AsyncIterable<TreeStep>) {
  const all: string[] = [];
  for await (const step of steps) {
    expect(step.depth).toBe(namesOf(step).length);
    all.push(`${namesOf(step).join("/")}${step.isLast ? " last" : ""}`);
  }
  return all;
}

describe("walkBelow()", () => {
  it("goes depth first and knows the last of each directory", async () => {
    const { directories, root } = await sampleTree();
    expect(await lines(walkBelow(directories, root))).toEqual([
      "a",
      "a/f",
      "a/g last",
      "b",
      "c",
      "c/f",
      "c/g last",
      "d last",
    ]);
  });

  it("stops at a depth", async () => {
    const { directories, root } = await sampleTree();
    expect(await lines(walkBelow(directories, root, { maxDepth: 1 }))).toEqual([
      "a",
      "b",
      "c",
      "d last",
    ]);
  });

  it("finds nothing below a file", async () => {
    const { directories } = await sampleTree();
    expect(await lines(walkBelow(directories, FILE))).toEqual([]);
  });

  it("fails when a directory is missing", async () => {
    const directories = new MemoryDirectoryService();
    const absent = directoryNode(blake3(Uint8Array.of(1)), 1n);
    await expect(lines(walkBelow(directories, absent))).rejects.toMatchObject({
      code: "MISSING_REFERENCE",
    });
  });

  it("does not recurse: 20,000 levels", async () => {
    const directories = new MemoryDirectoryService();
    let root = await store(directories, {});
    for (let i = 0; i < 20_000; i++) root = await store(directories, { d: root });
    let deepest = 0;
    for await (const { depth } of walkBelow(directories, root)) deepest = depth;
    expect(deepest).toBe(20_000);
  });
});
