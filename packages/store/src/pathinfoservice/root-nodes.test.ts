import { B3Digest, directoryNode, fileNode, type Node, PathComponent } from "@tvix/castore";
import { collect } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { PathInfo } from "../path-info.js";
import { StorePath } from "../store-path/store-path.js";
import { MemoryPathInfoService } from "./memory.js";
import { getStorePath, PathInfoRootNodes } from "./root-nodes.js";

const DIGEST = B3Digest.fromBytes(new Uint8Array(32).fill(7));
const FIRST = StorePath.of(new Uint8Array(20).fill(1), "first-1.0");
const SECOND = StorePath.of(new Uint8Array(20).fill(2), "second");
const FIRST_NODE = directoryNode(DIGEST, 3n);
const SECOND_NODE = fileNode(DIGEST, 5n, true);

async function known(): Promise<MemoryPathInfoService> {
  const pathInfos = new MemoryPathInfoService();
  const put = (storePath: StorePath, node: Node) =>
    pathInfos.put(PathInfo.of({ storePath, node, narSize: 1n, narSha256: new Uint8Array(32) }));
  await put(SECOND, SECOND_NODE);
  await put(FIRST, FIRST_NODE);
  return pathInfos;
}

describe("PathInfoRootNodes.get()", () => {
  it("finds a store path by its base name", async () => {
    const roots = new PathInfoRootNodes(await known());
    expect(await roots.get(PathComponent.parse(FIRST.baseName))).toEqual(FIRST_NODE);
    expect(await roots.get(PathComponent.parse(SECOND.baseName))).toEqual(SECOND_NODE);
  });

  it.each([
    ["another name with the digest of a path", FIRST.baseName.replace("first", "worst")],
    ["a longer name with the digest of a path", `${FIRST.baseName}.drv`],
    ["a path that is not known", StorePath.of(new Uint8Array(20).fill(3), "first-1.0").baseName],
    ["the digest alone", FIRST.baseName.slice(0, 32)],
    ["what is no store path", ".Trash"],
    ["a base name in capitals", FIRST.baseName.toUpperCase()],
  ])("finds nothing under %s", async (_, name) => {
    const roots = new PathInfoRootNodes(await known());
    expect(await roots.get(PathComponent.parse(name))).toBeUndefined();
  });

  it("asks the service only for what is a store path", async () => {
    const asked: Uint8Array[] = [];
    const pathInfos = new MemoryPathInfoService();
    const roots = new PathInfoRootNodes({
      get: (outputHash) => {
        asked.push(outputHash);
        return pathInfos.get(outputHash);
      },
      list: (options) => pathInfos.list(options),
    });
    await roots.get(PathComponent.parse("lost+found"));
    expect(asked).toEqual([]);
    await roots.get(PathComponent.parse(FIRST.baseName));
    expect(asked).toEqual([FIRST.digestBytes()]);
  });

  it("fails with what the service fails with", async () => {
    const failure = new Error("the service is away");
    const roots = new PathInfoRootNodes({
      get: () => Promise.reject(failure),
      list: () => Promise.reject(failure) as never,
    });
    await expect(roots.get(PathComponent.parse(FIRST.baseName))).rejects.toBe(failure);
  });

  it("rejects with the reason of a signal that has aborted", async () => {
    const roots = new PathInfoRootNodes(await known());
    const reason = new Error("enough");
    const call = roots.get(PathComponent.parse("x"), { signal: AbortSignal.abort(reason) });
    await expect(call).rejects.toBe(reason);
  });
});

describe("PathInfoRootNodes.list()", () => {
  it("gives every store path once, under the name by which it is found", async () => {
    const roots = new PathInfoRootNodes(await known());
    const entries = await collect(roots.list());
    expect(entries.map(({ name, node }) => [name.toString(), node])).toEqual([
      [FIRST.baseName, FIRST_NODE],
      [SECOND.baseName, SECOND_NODE],
    ]);
    for (const { name, node } of entries) expect(await roots.get(name)).toEqual(node);
  });

  it("gives nothing for a service that knows nothing", async () => {
    expect(await collect(new PathInfoRootNodes(new MemoryPathInfoService()).list())).toEqual([]);
  });
});

describe("getStorePath()", () => {
  it("gives the path info of that path", async () => {
    expect((await getStorePath(await known(), FIRST))?.storePath.baseName).toBe(FIRST.baseName);
  });

  it("gives nothing for another path with the same digest", async () => {
    const other = StorePath.of(FIRST.digestBytes(), "other");
    expect(await getStorePath(await known(), other)).toBeUndefined();
  });
});
