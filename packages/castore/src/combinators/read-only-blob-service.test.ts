import { describe, expect, it } from "vitest";
import { blake3 } from "../hasher/blake3.js";
import { blobServiceSuite } from "../testing/blob-service-suite.js";
import { ChunkingBlobService } from "../testing/chunking-blob-service.js";
import { WatchedSource } from "../testing/sources.js";
import { splitService } from "../testing/split-service.js";
import { ReadOnlyBlobService } from "./read-only-blob-service.js";

blobServiceSuite(
  "read-only, filled from behind",
  async () => {
    const inner = new ChunkingBlobService(65_536);
    return { service: splitService(new ReadOnlyBlobService(inner), inner) };
  },
  { chunking: true },
);

describe("ReadOnlyBlobService", () => {
  it("stores nothing, and closes what it is given", async () => {
    const inner = new ChunkingBlobService(65_536);
    const service = new ReadOnlyBlobService(inner);
    const source = new WatchedSource([Uint8Array.of(1)]);
    await expect(service.put(source)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect([source.pulled, source.released]).toEqual([0, true]);
    const many = service.putMany([Uint8Array.of(1)]);
    await expect(many).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect(await inner.has(blake3(Uint8Array.of(1)))).toBe(false);
    expect([service.openMany, service.fillMany]).toEqual([undefined, undefined]);
  });
});
