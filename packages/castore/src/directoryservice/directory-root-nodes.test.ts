import { describe, expect, it } from "vitest";
import { fileNode } from "../nodes/node.js";
import { PathComponent } from "../path/component.js";
import { directoryOf, NOWHERE, nodeOf } from "../testing/directory-builders.js";
import { EMPTY_DIGEST } from "../testing/fixtures.js";
import { collect } from "../testing/sources.js";
import { DirectoryRootNodes } from "./directory-root-nodes.js";
import { MemoryDirectoryService } from "./memory.js";

const FILE = fileNode(EMPTY_DIGEST, 0n);
const DIRECTORY = directoryOf({ b: FILE, a: nodeOf(directoryOf({})) });
const A = PathComponent.parse("a");

async function stored(): Promise<DirectoryRootNodes> {
  const service = new MemoryDirectoryService();
  await service.put(directoryOf({}));
  return DirectoryRootNodes.stored(service, await service.put(DIRECTORY));
}

describe.each([
  ["of()", async () => DirectoryRootNodes.of(DIRECTORY)],
  ["stored()", stored],
])("DirectoryRootNodes.%s", (_, open) => {
  it("finds the entries by name", async () => {
    const roots = await open();
    expect(await roots.get(A)).toEqual(nodeOf(directoryOf({})));
    expect(await roots.get(PathComponent.parse("b"))).toEqual(FILE);
    expect(await roots.get(PathComponent.parse("c"))).toBeUndefined();
  });

  it("lists the entries", async () => {
    expect(await collect((await open()).list())).toEqual(DIRECTORY.entries);
  });

  it("rejects with the reason of a signal that has aborted", async () => {
    const roots = await open();
    const reason = new Error("enough");
    const options = { signal: AbortSignal.abort(reason) };
    await expect(roots.get(A, options)).rejects.toBe(reason);
    await expect(collect(roots.list(options))).rejects.toBe(reason);
  });
});

describe("DirectoryRootNodes.stored()", () => {
  it("fails as long as the Directory is not stored, and works from then on", async () => {
    const service = new MemoryDirectoryService();
    const digest = nodeOf(DIRECTORY).digest;
    const roots = DirectoryRootNodes.stored(service, digest);
    const missing = { code: "MISSING_REFERENCE" };
    await expect(roots.get(A)).rejects.toMatchObject(missing);
    await expect(collect(roots.list())).rejects.toMatchObject(missing);
    await service.put(directoryOf({}));
    await service.put(DIRECTORY);
    expect(await collect(roots.list())).toHaveLength(2);
  });

  it("asks for the Directory once", async () => {
    let asked = 0;
    const roots = DirectoryRootNodes.stored(
      {
        get: async () => {
          asked++;
          return DIRECTORY;
        },
      },
      NOWHERE,
    );
    await roots.get(A);
    await roots.get(A);
    await collect(roots.list());
    expect(asked).toBe(1);
  });
});
