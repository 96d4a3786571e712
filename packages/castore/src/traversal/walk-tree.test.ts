import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { Directory } from "../nodes/directory.js";
import { directoryNode, equalNodes, fileNode, type Node } from "../nodes/node.js";
import { closures } from "../testing/arbitraries.js";
import { chain, directoryOf, NOWHERE, nodeOf } from "../testing/directory-builders.js";
import { EMPTY_DIGEST } from "../testing/fixtures.js";
import { collect } from "../testing/sources.js";
import { descendTo } from "./descend-to.js";
import { walkTree } from "./walk-tree.js";

async function serviceWith(directories: readonly Directory[]): Promise<MemoryDirectoryService> {
  const service = new MemoryDirectoryService();
  await service.putMultiple(directories);
  return service;
}

async function pathsOf(service: MemoryDirectoryService, root: Node): Promise<string[]> {
  return (await collect(walkTree(service, root))).map(({ path }) => path.toString());
}

describe("walkTree()", () => {
  const file = fileNode(EMPTY_DIGEST, 1n);

  it("goes depth first, directories before what they hold, names in byte order", async () => {
    const inner = directoryOf({ y: file, x: file, X: file });
    const root = directoryOf({
      "a.b": file,
      a: nodeOf(inner),
      b: nodeOf(Directory.EMPTY),
      c: file,
    });
    const service = await serviceWith([Directory.EMPTY, inner, root]);
    expect(await pathsOf(service, nodeOf(root))).toEqual([
      "",
      "a",
      "a/X",
      "a/x",
      "a/y",
      "a.b",
      "b",
      "c",
    ]);
  });

  it("walks a Directory wherever it is", async () => {
    const directories = chain(4, 2);
    const service = await serviceWith(directories);
    const paths = await pathsOf(service, nodeOf(directories.at(-1) as Directory));
    expect(paths).toHaveLength(1 + 2 + 4 + 8 + 8);
    expect(new Set(paths).size).toBe(paths.length);
    expect(paths.slice(0, 6)).toEqual(["", "d0", "d0/d0", "d0/d0/d0", "d0/d0/d0/leaf", "d0/d0/d1"]);
  });

  it("yields a root that is no directory", async () => {
    const [entry, ...rest] = await collect(walkTree(new MemoryDirectoryService(), file));
    expect(entry?.node).toBe(file);
    expect(entry?.path.components).toEqual([]);
    expect(rest).toEqual([]);
  });

  it("yields what descendTo() finds at each path", () => {
    return fc.assert(
      fc.asyncProperty(closures(), async ({ directories, root }) => {
        const service = await serviceWith(directories);
        for await (const { path, node } of walkTree(service, root)) {
          const found = await descendTo(service, root, path);
          expect(found && equalNodes(found, node)).toBe(true);
        }
      }),
      { seed: 1, numRuns: 40 },
    );
  });

  it("walks 3,000 levels", async () => {
    const directories = chain(3000);
    const service = await serviceWith(directories);
    let deepest = 0;
    for await (const { path } of walkTree(service, nodeOf(directories.at(-1) as Directory))) {
      deepest = Math.max(deepest, path.components.length);
    }
    expect(deepest).toBe(3000);
  });

  it("fetches a Directory when it comes to it, so that leaving costs nothing", async () => {
    const directories = chain(30, 2);
    const service = await serviceWith(directories);
    let fetched = 0;
    const counting = {
      get: (...args: Parameters<MemoryDirectoryService["get"]>) => {
        fetched++;
        return service.get(...args);
      },
    };
    let count = 0;
    for await (const _ of walkTree(counting, nodeOf(directories.at(-1) as Directory))) {
      if (++count === 5) break;
    }
    expect(fetched).toBe(4);
  });

  it("fails when a Directory is not stored, after what comes before it", async () => {
    const root = directoryOf({ a: file, b: directoryNode(NOWHERE, 1n) });
    const get = async (): Promise<Directory | undefined> => directories.shift();
    const directories = [root];
    const seen: string[] = [];
    const walk = async (): Promise<void> => {
      for await (const { path } of walkTree({ get }, nodeOf(root))) seen.push(path.toString());
    };
    await expect(walk()).rejects.toMatchObject({ code: "MISSING_REFERENCE" });
    expect(seen).toEqual(["", "a", "b"]);
  });

  it("rejects with the reason of its signal", async () => {
    const reason = new Error("the user pressed a key");
    const directories = chain(10);
    const service = await serviceWith(directories);
    const controller = new AbortController();
    const walk = async (): Promise<void> => {
      const { signal } = controller;
      for await (const _ of walkTree(service, nodeOf(directories[9] as Directory), { signal })) {
        controller.abort(reason);
      }
    };
    await expect(walk()).rejects.toBe(reason);
  });
});
