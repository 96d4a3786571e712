import type { Transport } from "@connectrpc/connect";
import { afterEach, describe, expect, it } from "vitest";
import { SliceDecoder } from "../bao/slice-decoder.js";
import { treeOf } from "../bao/tree-builder.js";
import type { BlobService, CallOptions } from "../blobservice/blob-service.js";
import { sliceOf } from "../blobservice/blob-slice.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import { concatBytes } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { GrpcBlobService } from "../grpc/blob-service.js";
import { blake3 } from "../hasher/blake3.js";
import { registerBlobService } from "../rpc/blob-service.js";
import { registerRangeService } from "../rpc/range-service.js";
import { ChunkingBlobService } from "../testing/chunking-blob-service.js";
import { expectSameBytes } from "../testing/expectations.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { seededBytes } from "../testing/seeded-random.js";
import { collect } from "../testing/sources.js";
import { CacheBlobService } from "./cache-blob-service.js";
import type { CacheNote, CacheNotes } from "./cache-notes.js";

const KIB = 1024;
const BLOB = seededBytes(1, 9_000_000);
const DIGEST = blake3(BLOB);
const PART = { offset: 5_000_000, length: 4 * KIB };

/** Notes in memory. */
class MemoryNotes implements CacheNotes {
  readonly values = new Map<string, Uint8Array>();

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.values.get(String(key));
  }

  async putMany(notes: readonly CacheNote[]): Promise<void> {
    for (const { key, value } of notes) this.values.set(String(key), value);
  }
}

/** A far store whose trees can be changed, or that is gone. */
class Far extends ChunkingBlobService {
  isGone = false;
  asked = 0;
  override tree: NonNullable<BlobService["tree"]> = async (digest, options) => {
    this.#check(options);
    return super.tree(digest, options);
  };

  override async openRead(...call: Parameters<ChunkingBlobService["openRead"]>) {
    this.#check(call[1]);
    return super.openRead(...call);
  }

  #check(options?: CallOptions): void {
    options?.signal?.throwIfAborted();
    this.asked++;
    if (this.isGone) throw new CastoreError("UNAVAILABLE", "The store is gone");
  }
}

async function farWithBlob(): Promise<Far> {
  const far = new Far(16 * KIB);
  await far.put([BLOB]);
  return far;
}

/** A part that is proved by the digest. */
async function readPart(service: BlobService, range = PART): Promise<Uint8Array> {
  const tree = await service.tree?.(DIGEST);
  const reader = await service.openRead(DIGEST);
  if (tree === undefined || reader === undefined) expect.fail("The blob is not there");
  const decoder = new SliceDecoder(DIGEST, range, { inputLength: BLOB.byteLength });
  const parts: Uint8Array[] = [];
  for await (const piece of sliceOf(DIGEST, { reader, tree }, range)) {
    parts.push(...decoder.push(piece));
  }
  decoder.finish();
  return concatBytes(parts);
}

const EXPECTED = BLOB.subarray(PART.offset, PART.offset + PART.length);

describe("trees through a cache", () => {
  it("prove what is near when far is gone, also after a start", async () => {
    const [far, near, notes] = [await farWithBlob(), new MemoryBlobService(), new MemoryNotes()];
    const first = new CacheBlobService(near, far, { notes });
    expectSameBytes(await readPart(first), EXPECTED);
    await first.close();
    far.isGone = true;
    expectSameBytes(await readPart(first), EXPECTED);
    const { asked } = far;
    const again = new CacheBlobService(near, far, { notes });
    expectSameBytes(await readPart(again), EXPECTED);
    expect(far.asked).toBe(asked);
    const elsewhere = readPart(again, { offset: 0, length: 10 });
    await expect(elsewhere).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await again.close();
  });

  it("are made anew from notes that are damaged", async () => {
    const [far, near, notes] = [await farWithBlob(), new MemoryBlobService(), new MemoryNotes()];
    await using first = new CacheBlobService(near, far, { notes });
    await readPart(first);
    await first.settled();
    for (const [key, value] of notes.values) {
      notes.values.set(
        key,
        Uint8Array.from(value, (byte) => byte ^ 1),
      );
    }
    await using again = new CacheBlobService(near, far, { notes });
    expectSameBytes(await readPart(again), EXPECTED);
  });

  it("are those of near where that has the blob", async () => {
    const [far, near] = [await farWithBlob(), new MemoryBlobService()];
    await near.put([BLOB]);
    await using service = new CacheBlobService(near, far);
    expectSameBytes(await readPart(service), EXPECTED);
    expect(far.asked).toBe(0);
  });

  it("are refused when they are wrong", async () => {
    const far = await farWithBlob();
    await using service = new CacheBlobService(new MemoryBlobService(), far);
    const wrong = treeOf(BLOB.slice().fill(1));
    far.tree = async () => wrong;
    await expect(service.tree?.(DIGEST)).rejects.toMatchObject({ code: "CORRUPT" });
    const right = treeOf(BLOB);
    far.tree = async () => ({ ...right, page: wrong.page });
    await using other = new CacheBlobService(new MemoryBlobService(), far);
    const tree = await other.tree?.(DIGEST);
    await expect(tree?.page(0)).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("are there where far has them, and absent where the blob is", async () => {
    const without = { ...new MemoryBlobService(), tree: undefined };
    expect(new CacheBlobService(new MemoryBlobService(), without as never).tree).toBeUndefined();
    await using service = new CacheBlobService(new MemoryBlobService(), new MemoryBlobService());
    expect(await service.tree?.(DIGEST)).toBeUndefined();
  });
});

describe("a chain of a store, a cache and a client", () => {
  const servers: GrpcServer[] = [];

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  async function serve(blobs: BlobService): Promise<{ client: GrpcBlobService; calls: string[] }> {
    const server = await serveGrpc((router) => {
      registerBlobService(router, blobs);
      registerRangeService(router, blobs);
    });
    servers.push(server);
    const calls: string[] = [];
    return { client: new GrpcBlobService(watched(server.transport, calls)), calls };
  }

  function watched(transport: Transport, calls: string[]): Transport {
    return {
      unary: (method, ...rest) => {
        calls.push(method.name);
        return transport.unary(method, ...rest);
      },
      stream: (method, ...rest) => {
        calls.push(method.name);
        return transport.stream(method, ...rest);
      },
    };
  }

  it("proves parts to its end, and asks the store once", async () => {
    const far = await serve(await farWithBlob());
    await using cache = new CacheBlobService(new MemoryBlobService(), far.client);
    const { client, calls } = await serve(cache);
    const read = async (): Promise<Uint8Array> => {
      const reader = (await client.openRead(DIGEST)) ?? expect.fail("The blob is absent");
      return concatBytes(await collect(reader.stream(PART)));
    };
    expectSameBytes(await read(), EXPECTED);
    expect(calls).toEqual(["Stat", "ReadSlice"]);
    expect(new Set(far.calls)).toEqual(new Set(["Stat", "ReadSlice", "ReadTree"]));
    await cache.settled();
    far.calls.length = 0;
    expectSameBytes(await read(), EXPECTED);
    expect(far.calls).toEqual([]);
  });
});
