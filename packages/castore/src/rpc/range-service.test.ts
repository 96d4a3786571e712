import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { RangeService } from "@tvix/protos/range";
import { afterEach, describe, expect, it } from "vitest";
import { SliceDecoder } from "../bao/slice-decoder.js";
import { treeOf } from "../bao/tree-builder.js";
import type { BlobService } from "../blobservice/blob-service.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import { concatBytes } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { NOWHERE } from "../testing/directory-builders.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { seededBytes } from "../testing/seeded-random.js";
import { collect } from "../testing/sources.js";
import type { FailedCall } from "./handler-call.js";
import { registerRangeService } from "./range-service.js";

const BLOB = seededBytes(1, 2_000_000);

let server: GrpcServer;
let reported: { readonly error: unknown; readonly call: FailedCall }[];

afterEach(() => server.close());

async function clientOf(blobs: BlobService) {
  reported = [];
  const onError = (error: unknown, call: FailedCall) => reported.push({ error, call });
  server = await serveGrpc((router) => registerRangeService(router, blobs, { onError }));
  return createClient(RangeService, server.transport);
}

async function statusOf(messages: AsyncIterable<unknown>): Promise<string | undefined> {
  const failure: unknown = await collect(messages).catch((error: unknown) => error);
  return Code[ConnectError.from(failure).code];
}

describe("RangeService.ReadSlice", () => {
  it.each([
    [0n, 10n],
    [1_000_000n, 500_000n],
    [1_999_990n, 1_000n],
    [2_000_000n, 0n],
    [2n ** 64n - 1n, 2n ** 64n - 1n],
    [5n, 2n ** 64n - 1n],
  ])("answers with a slice: from %s on, %s bytes", async (offset, length) => {
    const blobs = new MemoryBlobService();
    const digest = await blobs.put([BLOB]);
    const client = await clientOf(blobs);
    const messages = await collect(client.readSlice({ digest: digest.toBytes(), offset, length }));
    const max = BigInt(Number.MAX_SAFE_INTEGER);
    const clamp = (value: bigint) => Number(value > max ? max : value);
    const range = { offset: clamp(offset), length: clamp(length) };
    const decoder = new SliceDecoder(digest, range);
    const content = concatBytes(messages.flatMap(({ data }) => decoder.push(data)));
    decoder.finish();
    expect(Buffer.compare(content, BLOB.subarray(range.offset, range.offset + range.length))).toBe(
      0,
    );
    expect(Math.max(...messages.map(({ data }) => data.byteLength))).toBeLessThanOrEqual(
      256 * 1024,
    );
  });

  it("does not find what is not stored, and refuses digests of another length", async () => {
    const client = await clientOf(new MemoryBlobService());
    expect(await statusOf(client.readSlice({ digest: NOWHERE.toBytes() }))).toBe("NotFound");
    expect(await statusOf(client.readSlice({ digest: new Uint8Array(31) }))).toBe(
      "InvalidArgument",
    );
  });

  it("is not there where the store proves nothing", async () => {
    const blobs = new MemoryBlobService();
    const digest = await blobs.put([BLOB]);
    const without = new Proxy<BlobService>(blobs, {
      get: (target, name) => (name === "tree" ? undefined : Reflect.get(target, name, target)),
    });
    const client = await clientOf(without);
    expect(await statusOf(client.readSlice({ digest: digest.toBytes() }))).toBe("Unimplemented");
  });

  it("tells of failures, before the slice and in the middle of it", async () => {
    const error = new CastoreError("CORRUPT", "it is damaged");
    const blobs = new MemoryBlobService();
    const digest = await blobs.put([BLOB]);
    const request = { digest: digest.toBytes(), length: 10n };
    const client = await clientOf(blobs);
    blobs.tree = () => Promise.reject(error);
    expect(await statusOf(client.readSlice(request))).toBe("DataLoss");
    blobs.tree = async () => ({ ...treeOf(BLOB), page: () => Promise.reject(error) });
    expect(await statusOf(client.readSlice(request))).toBe("DataLoss");
    const call = { service: "tvix.castore.range.v1.RangeService", method: "ReadSlice" };
    expect(reported).toEqual([
      { error, call },
      { error, call },
    ]);
  });

  it("ends the work when the other side goes away", async () => {
    let ended = (): void => {};
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const blobs = new MemoryBlobService();
    const digest = await blobs.put([BLOB]);
    blobs.openRead = async (_digest, options) => ({
      size: BLOB.byteLength,
      stream: async function* () {
        options?.signal?.addEventListener("abort", () => ended());
        yield BLOB.subarray(0, 500_000);
        while (options?.signal?.aborted !== true) await new Promise((go) => setImmediate(go));
      },
    });
    const client = await clientOf(blobs);
    const cancel = new AbortController();
    const request = { digest: digest.toBytes(), length: 2_000_000n };
    for await (const _ of client.readSlice(request, { signal: cancel.signal })) break;
    cancel.abort();
    await end;
  });
});

describe("RangeService.ReadTree", () => {
  const long = seededBytes(2, 9 * 1024 * 1024);

  it("answers with the top of a tree and its pages", async () => {
    const blobs = new MemoryBlobService();
    const digest = await blobs.put([long]);
    const tree = treeOf(long);
    const client = await clientOf(blobs);
    const top = await client.readTree({ digest: digest.toBytes() });
    expect(top.parents).toEqual(tree.top);
    expect(top.length).toBe(BigInt(long.byteLength));
    for (const page of [0, 1, 2]) {
      const { parents, length } = await client.readTree({
        digest: digest.toBytes(),
        pagePlusOne: page + 1,
      });
      expect(parents).toEqual(await tree.page(page));
      expect(length).toBe(BigInt(long.byteLength));
    }
  });

  it("refuses pages that are not there, and digests of another length", async () => {
    const blobs = new MemoryBlobService();
    const digest = (await blobs.put([long])).toBytes();
    const client = await clientOf(blobs);
    const status = async (call: Promise<unknown>) =>
      Code[ConnectError.from(await call.catch((error: unknown) => error)).code];
    expect(await status(client.readTree({ digest, pagePlusOne: 4 }))).toBe("InvalidArgument");
    expect(await status(client.readTree({ digest, pagePlusOne: 2 ** 32 - 1 }))).toBe(
      "InvalidArgument",
    );
    expect(await status(client.readTree({ digest: digest.subarray(1) }))).toBe("InvalidArgument");
    expect(await status(client.readTree({ digest: NOWHERE.toBytes() }))).toBe("NotFound");
  });
});
