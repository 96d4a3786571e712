import { describe, expect, it } from "vitest";
import { blake3 } from "../hasher/blake3.js";
import { expectSameBytes } from "../testing/expectations.js";
import { seededBytes } from "../testing/seeded-random.js";
import type { BlobService } from "./blob-service.js";
import { MemoryBlobService } from "./memory.js";
import { putBytes } from "./put-bytes.js";
import { readBlob } from "./read-blob.js";

const bytes = seededBytes(1, 700_000);

/** A service that says another size than that of what it streams. */
function lying(size: number): BlobService {
  const service = new MemoryBlobService();
  const { openRead } = service;
  service.openRead = async (digest, options) => {
    const reader = await openRead.call(service, digest, options);
    return reader && { size, stream: reader.stream };
  };
  return service;
}

describe("readBlob()", () => {
  it("gives back what putBytes() stored", async () => {
    const service = new MemoryBlobService();
    const digest = await putBytes(service, bytes);
    expect(digest.equals(blake3(bytes))).toBe(true);
    const read = await readBlob(service, digest, { maxBytes: bytes.byteLength });
    expectSameBytes(read as Uint8Array, bytes);
  });

  it("returns undefined for a blob that is not stored", async () => {
    const options = { maxBytes: 10 };
    expect(await readBlob(new MemoryBlobService(), blake3(bytes), options)).toBeUndefined();
  });

  it("refuses a blob that is too long before it reads it", async () => {
    const service = new MemoryBlobService();
    const digest = await putBytes(service, bytes);
    const read = readBlob(service, digest, { maxBytes: bytes.byteLength - 1 });
    await expect(read).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it.each([699_999, 700_001, 0])("does not believe a size of %s", async (size) => {
    const service = lying(size);
    const digest = await putBytes(service, bytes);
    const read = readBlob(service, digest, { maxBytes: 1_000_000 });
    await expect(read).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("rejects with the reason of its signal", async () => {
    const reason = new Error("the user pressed a key");
    const service = new MemoryBlobService();
    const digest = await putBytes(service, bytes);
    const options = { maxBytes: 1_000_000, signal: AbortSignal.abort(reason) };
    await expect(readBlob(service, digest, options)).rejects.toBe(reason);
    await expect(putBytes(service, bytes, options)).rejects.toBe(reason);
  });
});
