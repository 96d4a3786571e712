import {
  blake3,
  Directory,
  fileNode,
  MemoryBlobService,
  MemoryDirectoryService,
  PathComponent,
  toUtf8,
} from "@tvix/castore";
import { describe, expect, it } from "vitest";
import { DryRunBlobService, type DryRunCounts, DryRunDirectoryService } from "./dry-run.js";

function zero(): DryRunCounts {
  return { newObjects: 0, newBytes: 0, knownObjects: 0, knownBytes: 0 };
}

describe("DryRunBlobService", () => {
  it("counts what is new and what is known, and stores nothing", async () => {
    const inner = new MemoryBlobService();
    await inner.putMany([toUtf8("known")]);
    const counts = zero();
    const service = new DryRunBlobService(inner, counts);
    const digests = await service.putMany([toUtf8("new"), toUtf8("known"), toUtf8("new")]);
    expect(digests).toEqual([toUtf8("new"), toUtf8("known"), toUtf8("new")].map((b) => blake3(b)));
    expect(counts).toEqual({ newObjects: 1, newBytes: 3, knownObjects: 2, knownBytes: 8 });
    expect(await inner.has(blake3(toUtf8("new")))).toBe(false);
  });

  it("digests a stream", async () => {
    const counts = zero();
    const service = new DryRunBlobService(new MemoryBlobService(), counts);
    const digest = await service.put([toUtf8("a"), new Uint8Array(), toUtf8("bc")]);
    expect(digest).toEqual(blake3(toUtf8("abc")));
    expect(counts.newBytes).toBe(3);
    expect(await service.has(digest)).toBe(true);
    expect(await service.hasMany([digest, blake3(toUtf8("x"))])).toEqual([true, false]);
  });

  it("passes on that the source fails", async () => {
    const service = new DryRunBlobService(new MemoryBlobService(), zero());
    async function* failing() {
      yield toUtf8("a");
      throw new Error("EIO");
    }
    await expect(service.put(failing())).rejects.toThrow("EIO");
  });

  it("ends with the signal's reason", async () => {
    const service = new DryRunBlobService(new MemoryBlobService(), zero());
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(service.put([toUtf8("a")], { signal })).rejects.toBe(reason);
    await expect(service.putMany([toUtf8("a")], { signal })).rejects.toBe(reason);
  });
});

describe("DryRunDirectoryService", () => {
  it("counts what is new and what is known, and stores nothing", async () => {
    const file = fileNode(blake3(new Uint8Array()), 0n);
    const known = Directory.fromEntries([{ name: PathComponent.parse("a"), node: file }]);
    const fresh = Directory.fromEntries([{ name: PathComponent.parse("b"), node: file }]);
    const inner = new MemoryDirectoryService();
    await inner.put(known);
    const counts = zero();
    const service = new DryRunDirectoryService(inner, counts);
    const digest = await service.put(fresh);
    await service.put(known);
    expect(await service.putMultiple([fresh])).toEqual(digest);
    expect(counts).toMatchObject({ newObjects: 1, knownObjects: 2 });
    expect(counts.newBytes).toBeGreaterThan(0);
    expect(await inner.get(digest)).toBeUndefined();
  });
});
