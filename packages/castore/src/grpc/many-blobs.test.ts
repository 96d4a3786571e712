import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { BatchService } from "@tvix/protos/batch";
import { BlobService as BlobServiceDesc } from "@tvix/protos/castore";
import { afterEach, describe, expect, it } from "vitest";
import type { OpenBlob } from "../blobservice/blob-service.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import { concatBytes, equalBytes } from "../bytes.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { blake3 } from "../hasher/blake3.js";
import { registerBatchService } from "../rpc/batch-service.js";
import { registerBlobService } from "../rpc/blob-service.js";
import { NOWHERE } from "../testing/directory-builders.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { seededBytes } from "../testing/seeded-random.js";
import { collect } from "../testing/sources.js";
import { GrpcBlobService } from "./blob-service.js";

const KIB = 1024;

let server: GrpcServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function content(blob: OpenBlob | undefined): Promise<Uint8Array | undefined> {
  if (blob === undefined || blob instanceof Uint8Array) return blob;
  return concatBytes(await collect(blob.stream()));
}

describe("GrpcBlobService.openMany()", () => {
  it.each([true, false])("gives blobs in the order of digests (batches: %s)", async (batches) => {
    const backend = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
    server = await serveGrpc((router) => {
      registerBlobService(router, backend.blobs);
      if (batches) registerBatchService(router, backend);
    });
    const sizes = [0, 1, 1000, 128 * KIB, 128 * KIB + 1, 300 * KIB, 2000 * KIB];
    const contents = Array.from({ length: 150 }, (_, i) =>
      seededBytes(i, i < sizes.length ? (sizes[i] as number) : i),
    );
    const digests = await backend.blobs.putMany(contents);
    digests.splice(70, 0, NOWHERE);
    contents.splice(70, 0, new Uint8Array());
    const blobs = new GrpcBlobService(server.transport);
    const { signal } = new AbortController();
    const opened = await blobs.openMany(digests, { inlineBytes: 128 * KIB, signal });
    expect(opened).toHaveLength(151);
    expect(opened.map((blob) => blob instanceof Uint8Array)).toEqual(
      contents.map(({ byteLength }, i) => i !== 70 && byteLength <= 128 * KIB),
    );
    for (const [i, blob] of opened.entries()) {
      const bytes = await content(blob);
      expect(bytes === undefined).toBe(i === 70);
      expect(equalBytes(bytes ?? new Uint8Array(), contents[i] as Uint8Array)).toBe(true);
    }
    expect(await blobs.openMany([], { inlineBytes: 1 })).toEqual([]);
  });

  it("takes one call for many, and does not ask again a server that cannot", async () => {
    let reads = 0;
    let calls = 0;
    const backend = new MemoryBlobService();
    const digests = await backend.putMany(Array.from({ length: 50 }, (_, i) => Uint8Array.of(i)));
    server = await serveGrpc((router) => {
      registerBlobService(router, backend);
      router.service(BatchService, {
        // biome-ignore lint/correctness/useYield: it never answers.
        async *readBlobs() {
          calls++;
          throw new ConnectError("not here", Code.Unimplemented);
        },
      });
    });
    const blobs = new GrpcBlobService(server.transport);
    for (const _ of [1, 2]) {
      const opened = await blobs.openMany(digests, { inlineBytes: 10 });
      reads += opened.filter((blob) => blob instanceof Uint8Array).length;
    }
    expect([calls, reads]).toEqual([1, 100]);
  });

  it("ends with the signal", async () => {
    const backend = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
    server = await serveGrpc((router) => registerBatchService(router, backend));
    const blobs = new GrpcBlobService(server.transport);
    const controller = new AbortController();
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(
      blobs.openMany([NOWHERE], { inlineBytes: 10, signal: controller.signal }),
    ).rejects.toBe(reason);
  });

  const [a, b] = [seededBytes(1, 100), seededBytes(2, 200)];
  const long = seededBytes(3, 1001);
  type Script = readonly { lengthsPlusOne: number[]; contents: Uint8Array }[];
  it.each<[string, Script]>([
    ["other bytes", [{ lengthsPlusOne: [101, 201, 0], contents: concatBytes([b, a]) }]],
    ["fewer bytes", [{ lengthsPlusOne: [101, 201, 0], contents: a }]],
    ["more bytes", [{ lengthsPlusOne: [101, 0, 0], contents: concatBytes([a, b]) }]],
    ["fewer blobs", [{ lengthsPlusOne: [101], contents: a }]],
    ["more blobs", [{ lengthsPlusOne: [101, 201, 0, 1], contents: concatBytes([a, b]) }]],
    ["nothing, again and again", [{ lengthsPlusOne: [], contents: new Uint8Array() }]],
    ["a long blob", [{ lengthsPlusOne: [101, 0, 1002], contents: concatBytes([a, long]) }]],
    [
      "more than anybody wants",
      [{ lengthsPlusOne: [101, 0, 0], contents: new Uint8Array(2 << 20) }],
    ],
  ])("catches a server that sends %s", async (_, messages) => {
    const script: Partial<ServiceImpl<typeof BatchService>> = {
      async *readBlobs() {
        yield* messages;
      },
    };
    server = await serveGrpc((router) => {
      router.service(BatchService, script);
      router.service(BlobServiceDesc, {});
    });
    const blobs = new GrpcBlobService(server.transport);
    await expect(
      blobs.openMany([blake3(a), blake3(b), blake3(long)], { inlineBytes: 1000 }),
    ).rejects.toMatchObject({ name: "CastoreError", code: "CORRUPT" });
  });
});

describe("ReadBlobs", () => {
  it("refuses to send long blobs together", async () => {
    const backend = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
    server = await serveGrpc((router) => registerBatchService(router, backend));
    const { message } = await server.transport.stream(
      BatchService.method.readBlobs,
      undefined,
      undefined,
      undefined,
      (async function* () {
        yield { digests: [NOWHERE.toBytes()], maxBytes: 128 * KIB + 1 };
      })(),
    );
    await expect(collect(message)).rejects.toMatchObject({ code: Code.InvalidArgument });
  });
});
