import type { ConnectRouter } from "@connectrpc/connect";
import { BlobService as BlobServiceDesc } from "@tvix/protos/castore";
import { RangeService } from "@tvix/protos/range";
import { afterEach, describe, expect, it } from "vitest";
import { encodeSlice } from "../bao/encode-slice.js";
import { treeOf } from "../bao/tree-builder.js";
import { encodeLength, type SliceRange } from "../bao/tree-shape.js";
import type { BlobReader } from "../blobservice/blob-service.js";
import { concatBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import { BLOB_SIZE_HEADER } from "../rpc/limits.js";
import { expectSameBytes } from "../testing/expectations.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { seededBytes } from "../testing/seeded-random.js";
import { collect } from "../testing/sources.js";
import { GrpcBlobService } from "./blob-service.js";

const KIB = 1024;
const BLOB = seededBytes(1, 300 * KIB);
const DIGEST = blake3(BLOB);
const PART = { offset: 100 * KIB, length: 20 * KIB };

let server: GrpcServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** What a server answers to `ReadSlice`, message by message. */
type Messages = (signal: AbortSignal) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** @param size - what it says that the blob has */
async function clientOf(
  messages: Messages,
  size: number | (() => number) = BLOB.byteLength,
): Promise<GrpcBlobService> {
  server = await serveGrpc((router: ConnectRouter) => {
    router.service(BlobServiceDesc, {
      stat: (_request, context) => {
        const said = typeof size === "number" ? size : size();
        context.responseHeader.set(BLOB_SIZE_HEADER, String(said));
        return {};
      },
    });
    router.service(RangeService, {
      readSlice: async function* (_request, { signal }) {
        for await (const data of messages(signal)) yield { data };
      },
    });
  });
  return new GrpcBlobService(server.transport);
}

async function sliceOf(blob: Uint8Array, range: SliceRange): Promise<Uint8Array> {
  const tree = treeOf(blob);
  const read = async function* (start: number, end: number) {
    yield blob.subarray(start, end);
  };
  return concatBytes(await collect(encodeSlice(tree, tree.digest, range, read)));
}

async function readPart(blobs: GrpcBlobService, digest: B3Digest = DIGEST): Promise<Uint8Array> {
  const reader: BlobReader = (await blobs.openRead(digest)) ?? expect.fail("The blob is absent");
  return concatBytes(await collect(reader.stream(PART)));
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ 1 : byte));
}

describe("a server that lies about a part", () => {
  const lies: readonly [string, (right: Uint8Array) => Uint8Array | Promise<Uint8Array>][] = [
    ["a wrong byte of the part", (right) => flipped(right, right.byteLength - 1)],
    ["a wrong byte beside the part", (right) => flipped(right, 8 + 5 * 64)],
    ["a wrong node of the tree", (right) => flipped(right, 8 + 64)],
    ["a wrong node on a way that is not taken", (right) => flipped(right, 8 + 63)],
    ["a smaller length", (right) => concatBytes([encodeLength(1), right.subarray(8)])],
    ["a larger length", (right) => concatBytes([encodeLength(2 ** 40), right.subarray(8)])],
    ["a length that no blob has", (right) => concatBytes([NEVER, right.subarray(8)])],
    ["an end that comes early", (right) => right.subarray(0, right.byteLength - 1)],
    ["an end within the proof", (right) => right.subarray(0, 50)],
    ["no bytes at all", () => new Uint8Array(0)],
    ["bytes behind the end", (right) => concatBytes([right, Uint8Array.of(0)])],
    ["content without its proof", (right) => right.subarray(-32 * KIB)],
    ["another part", () => sliceOf(BLOB, { offset: 0, length: 20 * KIB })],
    ["a shorter part", () => sliceOf(BLOB, { ...PART, length: 10 })],
    ["a longer part", () => sliceOf(BLOB, { ...PART, length: 100 * KIB })],
    ["a part of another blob", () => sliceOf(flipped(BLOB, 299 * KIB), PART)],
    ["a part of a longer blob", () => sliceOf(concatBytes([BLOB, BLOB]), PART)],
  ];

  it.each(lies)("is caught: %s", async (_name, lie) => {
    const answer = await lie(await sliceOf(BLOB, PART));
    const blobs = await clientOf(() => [answer]);
    await expect(readPart(blobs)).rejects.toMatchObject({ name: "CastoreError", code: "CORRUPT" });
  });

  it("is caught when it states another length of the blob beforehand", async () => {
    const right = await sliceOf(BLOB, PART);
    for (const size of [BLOB.byteLength - 1, BLOB.byteLength + 1, 2 ** 50]) {
      const blobs = await clientOf(() => [right], size);
      await expect(readPart(blobs)).rejects.toMatchObject({ code: "CORRUPT" });
      await server?.close();
    }
  });

  it("is asked anew for the length when that was wrong", async () => {
    const right = await sliceOf(BLOB, PART);
    const sizes = [BLOB.byteLength + 1, BLOB.byteLength];
    const blobs = await clientOf(
      () => [right],
      () => sizes.shift() ?? 0,
    );
    await expect(readPart(blobs)).rejects.toMatchObject({ code: "CORRUPT" });
    const { offset, length } = PART;
    expectSameBytes(await readPart(blobs), BLOB.subarray(offset, offset + length));
    expectSameBytes(await readPart(blobs), BLOB.subarray(offset, offset + length));
  });

  it("is caught when it states another length at both places, where the end is read", async () => {
    const size = BLOB.byteLength + 16 * KIB;
    const slice = await sliceOf(BLOB, { offset: 290 * KIB, length: 20 * KIB });
    slice.set(encodeLength(size));
    const blobs = await clientOf(() => [slice], size);
    const reader = (await blobs.openRead(DIGEST)) ?? expect.fail("The blob is absent");
    const read = collect(reader.stream({ offset: 290 * KIB }));
    await expect(read).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("gives nothing of a part in which anything is wrong", async () => {
    const slice = await sliceOf(BLOB, PART);
    const blobs = await clientOf(() => [flipped(slice, slice.byteLength - 1)]);
    const reader = (await blobs.openRead(DIGEST)) ?? expect.fail("The blob is absent");
    const seen: Uint8Array[] = [];
    const reading = (async () => {
      for await (const piece of reader.stream(PART)) seen.push(piece);
    })();
    await expect(reading).rejects.toMatchObject({ code: "CORRUPT" });
    expect(seen).toEqual([]);
  });
});

const NEVER = new Uint8Array(8).fill(255);

describe("a server that never ends a slice", () => {
  it.each<[string, (right: Uint8Array) => Uint8Array]>([
    ["with bytes behind the end", () => new Uint8Array(500)],
    ["with the same slice again", (right) => right],
    ["with empty messages", () => new Uint8Array(0)],
  ])("is left: %s", async (_name, more) => {
    const right = await sliceOf(BLOB, PART);
    let ended = (): void => {};
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const blobs = await clientOf(async function* (signal) {
      signal.addEventListener("abort", () => ended());
      yield right;
      for (let i = 0; !signal.aborted; i++) {
        yield more(right);
        if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    });
    await expect(readPart(blobs)).rejects.toMatchObject({ code: "CORRUPT" });
    await end;
  });
});

describe("a server that lies about a tree", () => {
  const long = seededBytes(2, 9 * KIB * KIB);
  const tree = treeOf(long);
  const { digest, top } = tree;

  /** A client of a server that answers with these for the top and for each page. */
  async function treeClient(length: number | bigint, ...parts: readonly Uint8Array[]) {
    server = await serveGrpc((router) => {
      router.service(RangeService, {
        readTree: ({ pagePlusOne }) => ({
          parents: parts[pagePlusOne] ?? new Uint8Array(0),
          length: BigInt(length),
        }),
      });
    });
    return new GrpcBlobService(server.transport);
  }

  it.each<[string, number | bigint, Uint8Array]>([
    ["a wrong node", long.byteLength, flipped(top, 100)],
    ["too few nodes", long.byteLength, top.subarray(64)],
    ["too many nodes", long.byteLength, concatBytes([top, top])],
    ["no nodes", long.byteLength, new Uint8Array(0)],
    ["a length with fewer pages", 5 * KIB * KIB, top],
    ["a length with more pages", 20 * KIB * KIB, top],
    ["a length that no blob has", 2n ** 63n, top],
  ])("is caught: %s", async (_name, length, parents) => {
    const blobs = await treeClient(length, parents);
    await expect(blobs.tree(digest)).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("is caught when it sends another page, or none", async () => {
    const first = await tree.page(0);
    const second = await tree.page(1);
    const blobs = await treeClient(long.byteLength, top, second, first, new Uint8Array(0));
    const got = (await blobs.tree(digest)) ?? expect.fail("The blob is absent");
    for (const index of [0, 1, 2]) {
      await expect(got.page(index)).rejects.toMatchObject({ code: "CORRUPT" });
    }
  });
});
