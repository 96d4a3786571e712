import { Code, ConnectError, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { BatchService } from "@tvix/protos/batch";
import {
  BlobService as BlobServiceDesc,
  DirectoryService as DirectoryServiceDesc,
} from "@tvix/protos/castore";
import { afterEach, describe, expect, it } from "vitest";
import { concatBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import type { Directory } from "../nodes/directory.js";
import { directoryToMessage } from "../rpc/directory-message.js";
import { BLOB_SIZE_HEADER } from "../rpc/limits.js";
import { directoryOf, NOWHERE, nodeOf } from "../testing/directory-builders.js";
import { directoryFixture } from "../testing/fixtures.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { seededBytes } from "../testing/seeded-random.js";
import { collect, WatchedSource } from "../testing/sources.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { GrpcBlobService } from "./blob-service.js";
import { GrpcDirectoryService } from "./directory-service.js";

const MIB = 1024 * 1024;

let server: GrpcServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

type BlobScript = Partial<ServiceImpl<typeof BlobServiceDesc>>;
type DirectoryScript = Partial<ServiceImpl<typeof DirectoryServiceDesc>>;
type BatchScript = Partial<ServiceImpl<typeof BatchService>>;

async function blobsOf(script: BlobScript, batch?: BatchScript): Promise<GrpcBlobService> {
  server = await serveGrpc((router: ConnectRouter) => {
    router.service(BlobServiceDesc, script);
    if (batch !== undefined) router.service(BatchService, batch);
  });
  return new GrpcBlobService(server.transport);
}

async function directoriesOf(script: DirectoryScript): Promise<GrpcDirectoryService> {
  server = await serveGrpc((router) => router.service(DirectoryServiceDesc, script));
  return new GrpcDirectoryService(server.transport);
}

interface Claim {
  readonly chunks?: readonly (readonly [Uint8Array, number | bigint])[];
  readonly size?: string | number;
}

/** A `Stat` that claims this. */
function stat({ chunks = [], size }: Claim): ServiceImpl<typeof BlobServiceDesc>["stat"] {
  return (_request, context) => {
    if (size !== undefined) context.responseHeader.set(BLOB_SIZE_HEADER, String(size));
    return { chunks: chunks.map(([digest, length]) => ({ digest, size: BigInt(length) })) };
  };
}

/** A `Read` that answers with these messages, whatever is asked for. */
function read(...messages: readonly Uint8Array[]): ServiceImpl<typeof BlobServiceDesc>["read"] {
  return async function* () {
    for (const data of messages) yield { data };
  };
}

async function readAll(blobs: GrpcBlobService, digest: B3Digest): Promise<Uint8Array> {
  const reader = await blobs.openRead(digest);
  return concatBytes(await collect(reader?.stream() ?? expect.fail("The blob is absent")));
}

const blob = seededBytes(1, 3000);
const digest = blake3(blob);
const parts = [0, 1, 2].map((i) => blob.subarray(1000 * i, 1000 * i + 1000));
const chunks = parts.map((part) => [blake3(part).toBytes(), 1000] as const);
const [first, second, third] = parts as [Uint8Array, Uint8Array, Uint8Array];
const wrong = Uint8Array.from(blob, (byte, i) => (i === 2500 ? byte ^ 1 : byte));

describe("a server that lies about a blob", () => {
  const big = seededBytes(2, 5 * MIB);
  const bigWrong = Uint8Array.from(big, (byte, i) => (i === 10 ? byte ^ 1 : byte));
  const huge = 2n ** 62n;

  const reads: readonly [string, B3Digest, Claim, readonly Uint8Array[]][] = [
    ["other bytes", digest, { size: 3000 }, [wrong]],
    ["other bytes, length unknown", digest, {}, [wrong]],
    ["fewer bytes", digest, { size: 3000 }, [first, second]],
    ["more bytes", digest, { size: 3000 }, [blob, first]],
    ["nothing", digest, { size: 3000 }, []],
    ["nothing, length unknown", digest, {}, []],
    ["a length that is too small", digest, { size: 2999 }, [blob]],
    ["a length that is too large", digest, { size: 3001 }, [blob]],
    ["other bytes of a large blob", blake3(big), { size: 5 * MIB }, [bigWrong]],
    ["fewer bytes of a large blob", blake3(big), { size: 5 * MIB }, [big.subarray(1)]],
    ["other bytes of a large blob, length unknown", blake3(big), {}, [bigWrong]],
    ["other bytes in a chunk", digest, { chunks }, [wrong]],
    ["fewer bytes than chunks", digest, { chunks }, [first, second]],
    ["more bytes than chunks", digest, { chunks }, [blob, first]],
    ["chunks in another order", digest, { chunks: chunks.toReversed() }, [third, second, first]],
    ["chunks of another blob", digest, { chunks: chunks.slice(1) }, [second, third]],
  ];
  it.each(reads)("is caught: %s", async (_label, asked, claim, messages) => {
    const blobs = await blobsOf({ stat: stat(claim), read: read(...messages) });
    await expect(readAll(blobs, asked)).rejects.toMatchObject({
      name: "CastoreError",
      code: "CORRUPT",
    });
  });

  const stats: readonly [string, Claim][] = [
    ["a short digest of a chunk", { chunks: [[new Uint8Array(31), 1000]] }],
    ["an empty chunk", { chunks: [...chunks, [digest.toBytes(), 0]] }],
    ["a chunk of 2^62 bytes", { chunks: [[digest.toBytes(), huge]] }],
    [
      "chunks of 2^54 bytes together",
      { chunks: [1, 2].map(() => [digest.toBytes(), 2n ** 53n - 1n]) },
    ],
    ["chunks of another length than its own", { chunks, size: 3001 }],
    ["one chunk that is another blob", { chunks: [[NOWHERE.toBytes(), 3000]] }],
    ["a length that is no number", { size: "many" }],
    ["a negative length", { size: "-1" }],
    ["a length beyond 2^53", { size: "99999999999999999" }],
  ];
  it.each(stats)("is caught before anything is read: %s", async (_label, claim) => {
    const blobs = await blobsOf({ stat: stat(claim) });
    await expect(blobs.openRead(digest)).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("gives out only chunks that were right", async () => {
    const blobs = await blobsOf({ stat: stat({ chunks }), read: read(wrong) });
    const reader = await blobs.openRead(digest);
    const seen: Uint8Array[] = [];
    const reading = (async () => {
      for await (const piece of reader?.stream() ?? []) seen.push(piece);
    })();
    await expect(reading).rejects.toMatchObject({ code: "CORRUPT" });
    expect(concatBytes(seen)).toEqual(blob.subarray(0, 2000));
  });

  it("is caught when it reads a chunk wrongly for a range", async () => {
    const blobs = await blobsOf({ stat: stat({ chunks }), read: read(first) });
    const reader = await blobs.openRead(digest);
    const range = collect(reader?.stream({ offset: 1500, length: 10 }) ?? expect.fail());
    await expect(range).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("reads a blob whose chunks are too large to be held as one without", async () => {
    const zeros = new Uint8Array(17 * MIB);
    const pieces = Array.from({ length: 17 }, (_, i) => zeros.subarray(i * MIB, (i + 1) * MIB));
    const asked = blake3(zeros);
    const claim = { chunks: [[asked.toBytes(), zeros.byteLength] as const] };
    const blobs = await blobsOf({ stat: stat(claim), read: read(...pieces) });
    const reader = await blobs.openRead(asked);
    let length = 0;
    for await (const piece of reader?.stream() ?? []) {
      length += piece.byteLength;
      expect(piece.byteLength).toBeLessThanOrEqual(MIB);
    }
    expect(length).toBe(zeros.byteLength);
  });
});

describe("a server that never ends", () => {
  it.each([
    ["bytes", { size: 3000 }, 500],
    ["bytes of chunks", { chunks }, 500],
    ["empty messages", { size: 3000 }, 0],
    ["empty messages, length unknown", {}, 0],
  ] as const)("is left: %s", async (_label, claim, length) => {
    let ended = (): void => {};
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const blobs = await blobsOf({
      stat: stat(claim),
      read: async function* (_request, { signal }) {
        signal.addEventListener("abort", () => ended());
        for (let i = 0; !signal.aborted; i++) {
          yield { data: blob.subarray(0, length) };
          if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      },
    });
    await expect(readAll(blobs, digest)).rejects.toMatchObject({ code: "CORRUPT" });
    await end;
  });
});

describe("a server that lies about an upload", () => {
  const answers: readonly [string, Uint8Array][] = [
    ["another digest", NOWHERE.toBytes()],
    ["a short digest", new Uint8Array(31)],
    ["no digest", new Uint8Array(0)],
  ];
  it.each(answers)("is caught: %s", async (_label, answer) => {
    const blobs = await blobsOf({
      put: async (requests) => {
        await collect(requests);
        return { digest: answer };
      },
    });
    await expect(blobs.put([blob])).rejects.toMatchObject({ code: "CORRUPT" });
    await expect(blobs.put([new Uint8Array(2 * MIB)])).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("is caught when it answers before all was sent", async () => {
    const blobs = await blobsOf({ put: async () => ({ digest: digest.toBytes() }) });
    const source = new WatchedSource([new Uint8Array(2 * MIB)], "hang");
    await expect(blobs.put(source)).rejects.toMatchObject({ code: "CORRUPT" });
    expect(source.released).toBe(true);
  });

  it.each([
    ["another digest", { putBlobs: async () => ({ digests: [NOWHERE.toBytes()] }) }],
    ["a short digest", { putBlobs: async () => ({ digests: [new Uint8Array(1)] }) }],
    ["too few digests", { putBlobs: async () => ({ digests: [] }) }],
    [
      "too many digests",
      { putBlobs: async () => ({ digests: [digest.toBytes(), digest.toBytes()] }) },
    ],
    ["a position outside", { findMissingBlobs: async () => ({ missing: [1] }) }],
  ] as const)("is caught in a batch: %s", async (_label, script) => {
    const findMissingBlobs = async () => ({ missing: [0] });
    const blobs = await blobsOf({}, { findMissingBlobs, ...script });
    await expect(blobs.putMany([blob])).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("closes a source that hangs when it refuses an upload", async () => {
    const blobs = await blobsOf({
      put: async () => {
        throw new ConnectError("the disk is full", Code.ResourceExhausted);
      },
    });
    const source = new WatchedSource([new Uint8Array(2 * MIB)], "hang");
    await expect(blobs.put(source)).rejects.toMatchObject({
      code: "STORAGE",
      message: "Cannot store a blob: the disk is full",
    });
    expect(source.released).toBe(true);
  });
});

const [A, B, D, KEEP] = ["A", "B", "D", "WITH_KEEP"].map(
  (name) => directoryFixture(name).directory,
) as [Directory, Directory, Directory, Directory];

function sends(...directories: readonly Directory[]): DirectoryScript {
  return {
    get: async function* () {
      for (const directory of directories) yield directoryToMessage(directory);
    },
  };
}

describe("a server that lies about a Directory", () => {
  it.each([
    ["another one", sends(B)],
    ["two", sends(D, B)],
    [
      "one that is none",
      {
        get: async function* () {
          yield { files: [{ name: new Uint8Array(0) }] };
        },
      },
    ],
  ] as const)("is caught by get(): %s", async (_label, script) => {
    const directories = await directoriesOf(script);
    await expect(directories.get(directoryDigest(D))).rejects.toMatchObject({ code: "CORRUPT" });
  });

  const wrongSize = directoryOf({ a: { ...nodeOf(KEEP), size: 5n } });
  it.each([
    ["another root", D, "unexpected-directory", [B, A]],
    ["one that nothing refers to", D, "unexpected-directory", [D, B, KEEP]],
    ["a child before its parent", D, "unexpected-directory", [D, A, KEEP]],
    ["an end too early", D, "incomplete", [D, B]],
    ["the root alone", D, "incomplete", [D]],
    ["a wrong size", wrongSize, "wrong-size", [wrongSize, KEEP]],
  ] as const)("is caught by getRecursive(): %s", async (_label, root, reason, all) => {
    const directories = await directoriesOf(sends(...all));
    await expect(collect(directories.getRecursive(directoryDigest(root)))).rejects.toMatchObject({
      code: "CORRUPT",
      reason,
    });
  });

  it("may repeat Directories", async () => {
    const directories = await directoriesOf(sends(D, D, B, A, B, A));
    expect(await collect(directories.getRecursive(directoryDigest(D)))).toHaveLength(3);
  });

  it("does not make absent what breaks off with NotFound", async () => {
    const directories = await directoriesOf({
      get: async function* () {
        yield directoryToMessage(D);
        throw new ConnectError("gone", Code.NotFound);
      },
    });
    await expect(collect(directories.getRecursive(directoryDigest(D)))).rejects.toMatchObject({
      code: "MISSING_REFERENCE",
    });
  });

  it.each([
    ["another root", NOWHERE.toBytes()],
    ["a short digest", new Uint8Array(31)],
  ] as const)("is caught by an upload: %s", async (_label, rootDigest) => {
    const directories = await directoriesOf({
      put: async (requests) => {
        await collect(requests);
        return { rootDigest };
      },
    });
    await expect(directories.putMultiple([A, B, D])).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("is caught by an upload when it answers before all was sent", async () => {
    const rootDigest = directoryDigest(D).toBytes();
    const directories = await directoriesOf({ put: async () => ({ rootDigest }) });
    const source = new WatchedSource([A], "hang");
    await expect(directories.putMultiple(source)).rejects.toMatchObject({ code: "CORRUPT" });
    expect(source.released).toBe(true);
  });
});

describe("what a server says", () => {
  it("is escaped in errors", async () => {
    const blobs = await blobsOf({
      stat: () => {
        throw new ConnectError("\u001b[2J", Code.Internal);
      },
    });
    const error = await blobs.has(digest).catch((cause: unknown) => cause);
    expect(CastoreError.is(error, "STORAGE")).toBe(true);
    expect(String(error)).toContain("\\x1b[2J");
  });
});
