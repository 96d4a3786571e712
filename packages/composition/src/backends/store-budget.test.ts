import { MemoryBlobService, putBytes, toUtf8 } from "@tvix/castore";
import type { DerivedCache } from "@tvix/castore/local";
import { describe, expect, it } from "vitest";
import { BoundedBlobService } from "./bounded-blob-service.js";
import { boundedNotes, StoreBudget } from "./store-budget.js";

function budgetOf(diskBytes: number, maxBytes: number): StoreBudget {
  const stats = {
    ...{ pathInfos: 0, directories: 0, chunks: 0, chunkedBlobs: 0, rawBytes: 0, storedBytes: 0 },
    ...{ packs: 0, diskBytes },
  };
  return new StoreBudget({ stats: async () => stats }, maxBytes);
}

describe("BoundedBlobService", () => {
  it("takes blobs while there is room", async () => {
    const service = new BoundedBlobService(new MemoryBlobService(), budgetOf(99, 100));
    const digest = await putBytes(service, toUtf8("x"));
    expect(await service.has(digest)).toBe(true);
    const [other] = await service.putMany([toUtf8("y")]);
    expect(other && (await service.has(other))).toBe(true);
  });

  it("refuses them when there is none, closes their source, and can be read", async () => {
    const inner = new MemoryBlobService();
    const digest = await putBytes(inner, toUtf8("x"));
    const service = new BoundedBlobService(inner, budgetOf(1024, 1024));
    let isClosed = false;
    async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
      try {
        yield toUtf8("y");
      } finally {
        isClosed = true;
      }
    }
    const begun = source();
    await begun.next();
    await expect(service.put(begun)).rejects.toThrow("the store takes the 1KiB that it may");
    expect(isClosed).toBe(true);
    await expect(service.putMany([toUtf8("y")])).rejects.toMatchObject({ code: "STORAGE" });
    expect(await service.has(digest)).toBe(true);
  });
});

describe("boundedNotes()", () => {
  it.each([
    [99, 2],
    [100, 0],
  ])("with %d of 100 bytes keeps %d notes", async (diskBytes, kept) => {
    let count = 0;
    const notes: DerivedCache = {
      get: async () => undefined,
      put: async () => void count++,
      putMany: async (entries) => {
        count += entries.length;
      },
    };
    const bounded = boundedNotes(notes, budgetOf(diskBytes, 100));
    const note = { key: toUtf8("k"), value: toUtf8("v") };
    await bounded.put(note.key, note.value);
    await bounded.putMany([note]);
    expect(count).toBe(kept);
  });
});
