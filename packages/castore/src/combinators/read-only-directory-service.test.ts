import { describe, expect, it } from "vitest";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { Directory } from "../nodes/directory.js";
import { fileNode } from "../nodes/node.js";
import { chain, directoryOf } from "../testing/directory-builders.js";
import { EMPTY_DIGEST } from "../testing/fixtures.js";
import { collect, WatchedSource } from "../testing/sources.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { ReadOnlyDirectoryService } from "./read-only-directory-service.js";

describe("ReadOnlyDirectoryService", () => {
  it("gives what is there", async () => {
    const inner = new MemoryDirectoryService();
    const root = await inner.putMultiple(chain(3));
    const service = new ReadOnlyDirectoryService(inner);
    expect(directoryDigest((await service.get(root)) ?? Directory.EMPTY).equals(root)).toBe(true);
    expect(await collect(service.getRecursive(root))).toHaveLength(3);
  });

  it("refuses what would be written, and closes the source", async () => {
    const inner = new MemoryDirectoryService();
    const service = new ReadOnlyDirectoryService(inner);
    const directory = directoryOf({ a: fileNode(EMPTY_DIGEST, 1n) });
    await expect(service.put(directory)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    const source = new WatchedSource([directory]);
    await expect(service.putMultiple(source)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(service.putMultiple([directory])).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect(source.released).toBe(true);
    expect(source.pulled).toBe(0);
    expect(await inner.get(directoryDigest(directory))).toBeUndefined();
  });

  it("rejects with the reason of its signal", async () => {
    const reason = new Error("enough");
    const service = new ReadOnlyDirectoryService(new MemoryDirectoryService());
    const options = { signal: AbortSignal.abort(reason) };
    await expect(service.put(Directory.EMPTY, options)).rejects.toBe(reason);
    await expect(service.putMultiple([], options)).rejects.toBe(reason);
  });
});
