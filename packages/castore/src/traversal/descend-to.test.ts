import { beforeAll, describe, expect, it } from "vitest";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { Directory } from "../nodes/directory.js";
import { directoryNode, equalNodes, fileNode, type Node, symlinkNode } from "../nodes/node.js";
import { SymlinkTarget } from "../nodes/symlink-target.js";
import { Path } from "../path/path.js";
import { directoryOf, NOWHERE, nodeOf } from "../testing/directory-builders.js";
import { EMPTY_DIGEST } from "../testing/fixtures.js";
import { descendTo } from "./descend-to.js";

const file = fileNode(EMPTY_DIGEST, 3n);
const link = symlinkNode(SymlinkTarget.parse("b"));
const inner = directoryOf({ file, link, empty: nodeOf(Directory.EMPTY) });
const outer = directoryOf({ a: link, b: nodeOf(inner) });
const root = nodeOf(outer);

describe("descendTo()", () => {
  const service = new MemoryDirectoryService();
  beforeAll(async () => {
    await service.put(inner);
    await service.put(outer);
  });

  const found: readonly [string, Node][] = [
    ["", root],
    ["a", link],
    ["b", nodeOf(inner)],
    ["b/file", file],
    ["b/link", link],
    ["b/empty", nodeOf(Directory.EMPTY)],
  ];
  it.each(found)("finds %j", async (path, expected) => {
    const node = await descendTo(service, root, Path.parse(path));
    expect(node && equalNodes(node, expected)).toBe(true);
  });

  it.each(["c", "b/c", "b/file/x", "a/file", "b/link/file", "b/empty/x", "c/b/file"])(
    "finds nothing at %j",
    async (path) => {
      expect(await descendTo(service, root, Path.parse(path))).toBeUndefined();
    },
  );

  it("finds a root that is no directory, and nothing below it", async () => {
    expect(await descendTo(service, file, Path.EMPTY)).toBe(file);
    expect(await descendTo(service, link, Path.parse("x"))).toBeUndefined();
  });

  it("fails when a Directory on the way is not stored", async () => {
    const gone = directoryNode(NOWHERE, 1n);
    await expect(descendTo(service, gone, Path.parse("a"))).rejects.toMatchObject({
      code: "MISSING_REFERENCE",
    });
    expect(await descendTo(service, gone, Path.EMPTY)).toBe(gone);
  });

  it("rejects with the reason of its signal", async () => {
    const reason = new Error("the user pressed a key");
    const options = { signal: AbortSignal.abort(reason) };
    await expect(descendTo(service, root, Path.parse("b/file"), options)).rejects.toBe(reason);
  });
});
