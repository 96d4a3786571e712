import { toBinary } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";
import { BlobService as BlobServiceDesc } from "@tvix/protos/castore";
import { RangeService } from "@tvix/protos/range";
import { afterEach, describe, expect, it } from "vitest";
import type { BlobReader } from "../blobservice/blob-service.js";
import { sliceOf } from "../blobservice/blob-slice.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import { concatBytes } from "../bytes.js";
import { B3Digest } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import { registerBlobService } from "../rpc/blob-service.js";
import { registerRangeService } from "../rpc/range-service.js";
import { expectSameBytes } from "../testing/expectations.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { seededBytes } from "../testing/seeded-random.js";
import { collect } from "../testing/sources.js";
import { GrpcBlobService, type GrpcBlobServiceOptions } from "./blob-service.js";

const KIB = 1024;
const MIB = 1024 * KIB;

let server: GrpcServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** What a client did. */
interface Traffic {
  readonly calls: string[];
  /** Bytes of all messages that came. */
  received: number;
  underWay: number;
  mostUnderWay: number;
}

/** A client whose traffic is seen. */
async function clientOf(
  routes: (router: ConnectRouter) => void,
  options: GrpcBlobServiceOptions = {},
): Promise<{ blobs: GrpcBlobService; traffic: Traffic }> {
  server = await serveGrpc(routes);
  const traffic: Traffic = { calls: [], received: 0, underWay: 0, mostUnderWay: 0 };
  return { blobs: new GrpcBlobService(watched(server.transport, traffic), options), traffic };
}

function watched(transport: Transport, traffic: Traffic): Transport {
  return {
    unary: async (method, ...rest) => {
      traffic.calls.push(method.name);
      const answer = await transport.unary(method, ...rest);
      traffic.received += toBinary(method.output, answer.message).byteLength;
      return answer;
    },
    stream: async (method, ...rest) => {
      traffic.calls.push(method.name);
      traffic.underWay++;
      traffic.mostUnderWay = Math.max(traffic.mostUnderWay, traffic.underWay);
      const answer = await transport.stream(method, ...rest);
      const { message } = answer;
      const counted = async function* () {
        try {
          for await (const item of message) {
            traffic.received += toBinary(method.output, item).byteLength;
            yield item;
          }
        } finally {
          traffic.underWay--;
        }
      };
      return { ...answer, message: counted() };
    },
  };
}

/** Pieces of slices, as they go out. */
type Slices = (offset: number, pieces: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** A server of ours over `backend`. */
function ours(backend: MemoryBlobService, slices?: Slices) {
  return (router: ConnectRouter): void => {
    registerBlobService(router, backend);
    if (slices === undefined) registerRangeService(router, backend);
    else router.service(RangeService, { readSlice: scripted(backend, slices) });
  };
}

function scripted(
  backend: MemoryBlobService,
  slices: Slices,
): ServiceImpl<typeof RangeService>["readSlice"] {
  return async function* (request) {
    const digest = B3Digest.fromBytes(request.digest);
    const [tree, reader] = [await backend.tree(digest), await backend.openRead(digest)];
    if (tree === undefined || reader === undefined) throw new ConnectError("", Code.NotFound);
    const range = { offset: Number(request.offset), length: Number(request.length) };
    const pieces = sliceOf(digest, { reader, tree }, range);
    for await (const data of slices(range.offset, pieces)) yield { data };
  };
}

async function open(blobs: GrpcBlobService, digest: B3Digest): Promise<BlobReader> {
  return (await blobs.openRead(digest)) ?? expect.fail("The blob is absent");
}

async function part(reader: BlobReader, offset: number, length: number): Promise<Uint8Array> {
  return concatBytes(await collect(reader.stream({ offset, length })));
}

/** A blob in memory that tells of chunks. */
function chunked(bytes: Uint8Array, chunkBytes: number): MemoryBlobService {
  const blobs = new MemoryBlobService();
  const whole = blake3(bytes);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
    pieces.push(bytes.subarray(at, at + chunkBytes));
  }
  void blobs.put([bytes]);
  void blobs.putMany(pieces);
  const list = pieces.map((piece) => ({ digest: blake3(piece), size: piece.byteLength }));
  const chunks = blobs.chunks.bind(blobs);
  blobs.chunks = async (digest) => (digest.equals(whole) ? list : chunks(digest));
  return blobs;
}

describe("a part of a blob, from a server that proves parts", () => {
  it("moves little more than itself, and no chunk list", async () => {
    const backend = new MemoryBlobService();
    const bytes = new Uint8Array(64 * MIB);
    bytes.set(seededBytes(1, 4 * KIB), 50 * MIB);
    const digest = await backend.put([bytes]);
    const { blobs, traffic } = await clientOf(ours(backend));
    const reader = await open(blobs, digest);
    expect(reader.size).toBe(64 * MIB);
    expectSameBytes(await part(reader, 50 * MIB, 4 * KIB), seededBytes(1, 4 * KIB));
    expect(traffic.calls).toEqual(["Stat", "ReadSlice"]);
    expect(traffic.received).toBeLessThan(18 * KIB);
  });

  it("takes no question more when the blob is opened again", async () => {
    const backend = chunked(seededBytes(1, 2 * MIB), 200 * KIB);
    const digest = blake3(seededBytes(1, 2 * MIB));
    const { blobs, traffic } = await clientOf(ours(backend));
    await part(await open(blobs, digest), 0, 10);
    await blobs.chunks(digest);
    traffic.calls.length = 0;
    await part(await open(blobs, digest), MIB, 10);
    expect(await blobs.chunks(digest)).toHaveLength(11);
    expect(traffic.calls).toEqual(["ReadSlice"]);
  });

  it("comes in several slices at a time when it is long, none of them twice", async () => {
    const backend = new MemoryBlobService();
    const bytes = seededBytes(2, 12 * MIB);
    const digest = await backend.put([bytes]);
    const { blobs, traffic } = await clientOf(ours(backend));
    const reader = await open(blobs, digest);
    expectSameBytes(await part(reader, 500, 10 * MIB), bytes.subarray(500, 500 + 10 * MIB));
    expect(traffic.calls.filter((name) => name === "ReadSlice")).toHaveLength(11);
    expect(traffic.mostUnderWay).toBeGreaterThan(2);
    expect(traffic.mostUnderWay).toBeLessThanOrEqual(5);
    expect(traffic.received).toBeLessThan(10.2 * MIB);
  });

  it("is read whole where the blob is hardly longer than a proof", async () => {
    const backend = new MemoryBlobService();
    const bytes = seededBytes(2, 60 * KIB);
    const digest = await backend.put([bytes]);
    const { blobs, traffic } = await clientOf(ours(backend));
    expectSameBytes(await part(await open(blobs, digest), 100, 50), bytes.subarray(100, 150));
    expect(traffic.calls).toEqual(["Stat", "Read"]);
  });

  it("is read again when the connection breaks in the middle of it", async () => {
    const backend = new MemoryBlobService();
    const bytes = seededBytes(2, 3 * MIB);
    const digest = await backend.put([bytes]);
    let breaks = 2;
    const slices: Slices = async function* (_offset, pieces) {
      for await (const piece of pieces) {
        yield piece;
        if (breaks-- > 0) throw new ConnectError("gone", Code.Unavailable);
      }
    };
    const { blobs } = await clientOf(ours(backend, slices));
    const read = await part(await open(blobs, digest), 1000, 2 * MIB);
    expectSameBytes(read, bytes.subarray(1000, 1000 + 2 * MIB));
    expect(breaks).toBeLessThan(0);
  });

  it("fails when a later slice cannot be had, after what came before", async () => {
    const backend = new MemoryBlobService();
    const bytes = seededBytes(2, 3 * MIB);
    const digest = await backend.put([bytes]);
    const slices: Slices = async function* (offset, pieces) {
      if (offset >= MIB) throw new ConnectError("gone", Code.Unavailable);
      yield* pieces;
    };
    const { blobs } = await clientOf(ours(backend, slices));
    const seen: Uint8Array[] = [];
    const reading = (async () => {
      const reader = await open(blobs, digest);
      for await (const piece of reader.stream({ offset: 10 })) seen.push(piece);
    })();
    await expect(reading).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expectSameBytes(concatBytes(seen), bytes.subarray(10, MIB));
  });

  it("fails when the blob is gone, which is found out at the next opening", async () => {
    const backend = new MemoryBlobService();
    const digest = await backend.put([seededBytes(2, MIB)]);
    let isGone = false;
    const [openRead, tree] = [backend.openRead.bind(backend), backend.tree.bind(backend)];
    backend.openRead = async (...call) => (isGone ? undefined : openRead(...call));
    backend.tree = async (...call) => (isGone ? undefined : tree(...call));
    const { blobs } = await clientOf(ours(backend));
    const reader = await open(blobs, digest);
    isGone = true;
    await expect(part(reader, 10, 10)).rejects.toMatchObject({ code: "MISSING_REFERENCE" });
    expect(await blobs.openRead(digest)).toBeUndefined();
  });
});

describe("a part of a blob, from a server that does not prove parts", () => {
  const bytes = seededBytes(3, 3 * MIB);
  const digest = blake3(bytes);

  /** A server of others over `backend`. */
  const others = (backend: MemoryBlobService) => (router: ConnectRouter) => {
    registerBlobService(router, backend);
  };

  it("comes in chunks, after all of the blob was compared with them once", async () => {
    const backend = chunked(bytes, 200 * KIB);
    const { blobs, traffic } = await clientOf(others(backend));
    const reader = await open(blobs, digest);
    const parts = await Promise.all([part(reader, MIB, 10), part(reader, 5, 10)]);
    expectSameBytes(
      concatBytes(parts),
      concatBytes([bytes.slice(MIB, MIB + 10), bytes.slice(5, 15)]),
    );
    expect(traffic.received).toBeGreaterThan(3 * MIB);
    expect(traffic.received).toBeLessThan(4 * MIB);
    traffic.received = 0;
    expectSameBytes(await part(await open(blobs, digest), MIB, 10), bytes.slice(MIB, MIB + 10));
    expect(traffic.received).toBeLessThan(201 * KIB);
  });

  it("is refused before a byte when a chunk is not of the blob", async () => {
    const backend = chunked(bytes, 200 * KIB);
    const list = (await backend.chunks(digest)) ?? [];
    const [planted] = await backend.putMany([seededBytes(9, 200 * KIB)]);
    const wrong = list.map((chunk, i) =>
      i === 5 && planted ? { ...chunk, digest: planted } : chunk,
    );
    const chunks = backend.chunks.bind(backend);
    backend.chunks = async (asked) => (asked.equals(digest) ? wrong : chunks(asked));
    const { blobs } = await clientOf(others(backend));
    const reader = await open(blobs, digest);
    for (const offset of [MIB, 0]) {
      await expect(part(reader, offset, 10)).rejects.toMatchObject({ code: "CORRUPT" });
    }
  });

  it("is known to be right after all of the blob was read", async () => {
    const long = seededBytes(8, 5 * MIB);
    const backend = chunked(long, 200 * KIB);
    const { blobs, traffic } = await clientOf(others(backend));
    const reader = await open(blobs, blake3(long));
    await collect(reader.stream());
    traffic.received = 0;
    expectSameBytes(await part(reader, MIB, 10), long.slice(MIB, MIB + 10));
    expect(traffic.received).toBeLessThan(210 * KIB);
  });

  it("comes in the chunks that it touches, where lists are believed; proofs are asked for once", async () => {
    const backend = chunked(bytes, 200 * KIB);
    const { blobs, traffic } = await clientOf(others(backend), { trustsChunkLists: true });
    const reader = await open(blobs, digest);
    expectSameBytes(await part(reader, MIB, 300 * KIB), bytes.subarray(MIB, MIB + 300 * KIB));
    expect(traffic.calls.toSorted()).toEqual(["Read", "Read", "ReadSlice", "Stat", "Stat"]);
    traffic.calls.length = 0;
    await part(await open(blobs, digest), 0, 10);
    expect(traffic.calls).toEqual(["Read"]);
  });

  it("goes on in chunks when the server forgets how to prove them", async () => {
    const backend = chunked(bytes, 200 * KIB);
    const slices: Slices = async function* (offset, pieces) {
      if (offset >= MIB) throw new ConnectError("what?", Code.Unimplemented);
      yield* pieces;
    };
    const { blobs } = await clientOf(ours(backend, slices));
    const read = await part(await open(blobs, digest), 1000, 2 * MIB);
    expectSameBytes(read, bytes.subarray(1000, 1000 + 2 * MIB));
  });

  it("takes one question for each blob where the server tells chunks always, and no length", async () => {
    const backend = chunked(bytes, 200 * KIB);
    const small = await backend.put([seededBytes(4, 1000)]);
    const other = await backend.put([seededBytes(5, 1000)]);
    const { blobs, traffic } = await clientOf((router) => {
      router.service(BlobServiceDesc, {
        read: async function* ({ digest: asked }) {
          const reader = await backend.openRead(B3Digest.fromBytes(asked));
          for await (const data of reader?.stream() ?? []) yield { data };
        },
        stat: async ({ digest: asked }) => {
          const chunks = (await backend.chunks(B3Digest.fromBytes(asked))) ?? [];
          return {
            chunks: chunks.map((chunk) => ({
              digest: chunk.digest.toBytes(),
              size: BigInt(chunk.size),
            })),
          };
        },
      });
    });
    const stats = async (asked: B3Digest): Promise<number> => {
      traffic.calls.length = 0;
      await part(await open(blobs, asked), 5, 10);
      return traffic.calls.filter((name) => name === "Stat").length;
    };
    expect(await stats(digest)).toBe(1);
    expect(await stats(small)).toBe(2);
    expect(await stats(other)).toBe(1);
  });
});

describe("tree()", () => {
  it("is not supported by a server without the service", async () => {
    const backend = new MemoryBlobService();
    const digest = await backend.put([Uint8Array.of(1)]);
    const { blobs, traffic } = await clientOf((router) => registerBlobService(router, backend));
    for (let i = 0; i < 2; i++) {
      await expect(blobs.tree(digest)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    }
    expect(traffic.calls).toEqual(["ReadTree"]);
  });

  it("fetches the pages that are used", async () => {
    const backend = new MemoryBlobService();
    const digest = await backend.put([seededBytes(6, 9 * MIB)]);
    const { blobs, traffic } = await clientOf(ours(backend));
    const tree = (await blobs.tree(digest)) ?? expect.fail("The blob is absent");
    expect(traffic.calls).toEqual(["ReadTree"]);
    expect(await tree.page(1)).toEqual(await (await backend.tree(digest))?.page(1));
    expect(traffic.calls).toEqual(["ReadTree", "ReadTree"]);
    expect(traffic.received).toBeLessThan(17 * KIB);
  });
});
