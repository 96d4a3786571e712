import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  BatchService,
  PutChunkedBlobRequest_ChunkMetaSchema,
  type PutChunkedBlobRequestSchema,
  type PutDirectoriesRequestSchema,
} from "@tvix/protos/batch";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BlobService } from "../blobservice/blob-service.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import { concatBytes } from "../bytes.js";
import { type B3Digest, joinDigests } from "../digest.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { blake3 } from "../hasher/blake3.js";
import type { Directory } from "../nodes/directory.js";
import { chain, directoryOf, NOWHERE } from "../testing/directory-builders.js";
import { EMPTY_DIGEST } from "../testing/fixtures.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { seededBytes } from "../testing/seeded-random.js";
import { collect } from "../testing/sources.js";
import { digestDirectory, directoryDigest } from "../wire/directory-digest.js";
import { registerBatchService } from "./batch-service.js";
import {
  MAX_BLOBS_PER_CALL,
  MAX_CHUNK_BYTES,
  MAX_CHUNKS,
  MAX_DIGESTS_PER_CALL,
  MAX_SENT_CHUNK_BYTES,
} from "./limits.js";

/** A service that cannot be given chunks. */
class PlainBlobService implements BlobService {
  readonly #inner = new MemoryBlobService();
  readonly has: BlobService["has"] = (...args) => this.#inner.has(...args);
  readonly hasMany: BlobService["hasMany"] = (...args) => this.#inner.hasMany(...args);
  readonly openRead: BlobService["openRead"] = (...args) => this.#inner.openRead(...args);
  readonly put: BlobService["put"] = (...args) => this.#inner.put(...args);
  readonly putMany: BlobService["putMany"] = (...args) => this.#inner.putMany(...args);
  readonly chunks: BlobService["chunks"] = (...args) => this.#inner.chunks(...args);
}

let server: GrpcServer;
let blobs: BlobService;
let directories: MemoryDirectoryService;

async function serve(service: BlobService): Promise<void> {
  blobs = service;
  directories = new MemoryDirectoryService();
  server = await serveGrpc((router) => registerBatchService(router, { blobs, directories }));
}

beforeEach(() => serve(new MemoryBlobService()));
afterEach(() => server.close());

const client = () => createClient(BatchService, server.transport);

async function expectFailure(call: Promise<unknown>, code: Code, message: RegExp): Promise<void> {
  const error = await call.then(
    () => expect.fail("The call succeeded"),
    (cause: unknown) => ConnectError.from(cause),
  );
  expect(Code[error.code]).toBe(Code[code]);
  expect(error.rawMessage).toMatch(message);
}

describe("FindMissingBlobs", () => {
  it("answers with the positions of those that are not stored", async () => {
    const [a, b] = (await blobs.putMany([Uint8Array.of(1), Uint8Array.of(2)])) as [
      B3Digest,
      B3Digest,
    ];
    const digests = [NOWHERE, a, NOWHERE, b, NOWHERE].map((digest) => digest.toBytes());
    expect((await client().findMissingBlobs({ digests })).missing).toEqual([0, 2, 4]);
    expect((await client().findMissingBlobs({})).missing).toEqual([]);
  });

  it("takes digests in a row", async () => {
    const [a, b] = (await blobs.putMany([Uint8Array.of(1), Uint8Array.of(2)])) as [
      B3Digest,
      B3Digest,
    ];
    const row = (...digests: B3Digest[]) => concatBytes(digests.map((digest) => digest.toBytes()));
    const digests = [row(NOWHERE, a), row(b), row(b, NOWHERE, NOWHERE)];
    expect((await client().findMissingBlobs({ digests })).missing).toEqual([0, 4, 5]);
  });

  it.each([0, 31, 33, 65])("refuses a digest of %i bytes", async (length) => {
    const call = client().findMissingBlobs({ digests: [new Uint8Array(length)] });
    await expectFailure(call, Code.InvalidArgument, /^invalid digest length/);
  });

  it.each([
    ["", () => new Array(MAX_DIGESTS_PER_CALL + 1).fill(NOWHERE.toBytes())],
    [" in a row", () => [new Uint8Array(32 * (MAX_DIGESTS_PER_CALL + 1))]],
  ])("refuses too many%s", async (_how, digests) => {
    const many = client().findMissingBlobs({ digests: digests() });
    await expectFailure(many, Code.InvalidArgument, /65537 digests, more than 65536/);
  });
});

describe("PutBlobs", () => {
  it("stores all and answers with their digests in order", async () => {
    const contents = [seededBytes(1, 10), new Uint8Array(0), seededBytes(2, 300_000)];
    const { digests } = await client().putBlobs({ contents });
    expect(digests.length).toBe(3);
    for (const [i, content] of contents.entries()) {
      expect(blake3(content).equalsBytes(digests[i] as Uint8Array)).toBe(true);
      expect(await blobs.has(blake3(content))).toBe(true);
    }
  });

  it("takes several in a row, where their lengths are told", async () => {
    const pieces = [seededBytes(1, 10), new Uint8Array(0), seededBytes(2, 20), seededBytes(3, 30)];
    const [a, none, b, c] = pieces as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const contents = [concatBytes([none, a, none, b]), c];
    const { digests } = await client().putBlobs({ contents, lengths: [0, 10, 0, 20, 30, 0] });
    const expected = [none, a, none, b, c, none].map((piece) => blake3(piece));
    expect(digests).toEqual([joinDigests(expected)]);
  });

  it.each([
    ["a blob across two elements", [9, 11], /do not fit/],
    ["too few lengths", [10], /more bytes than/],
    ["too many lengths", [10, 10, 1], /fewer bytes than/],
  ])("refuses %s", async (_name, lengths, message) => {
    const contents = [new Uint8Array(10), new Uint8Array(10)];
    await expectFailure(client().putBlobs({ contents, lengths }), Code.InvalidArgument, message);
  });

  it("refuses too many blobs, and too many bytes", async () => {
    const lengths = new Array(MAX_BLOBS_PER_CALL + 1).fill(0);
    await expectFailure(client().putBlobs({ lengths }), Code.InvalidArgument, /16385 blobs/);
    const many = { contents: new Array(MAX_BLOBS_PER_CALL + 1).fill(new Uint8Array(0)) };
    await expectFailure(client().putBlobs(many), Code.InvalidArgument, /16385 blobs/);
    const large = { contents: [new Uint8Array(4 * 1024 * 1024), Uint8Array.of(1)] };
    await expectFailure(client().putBlobs(large), Code.InvalidArgument, /4194305 bytes/);
    expect(await blobs.has(blake3(Uint8Array.of(1)))).toBe(false);
  });
});

describe.each([
  ["a store that takes chunks", () => new MemoryBlobService()],
  ["one that does not", () => new PlainBlobService()],
] as const)("PutChunkedBlob to %s", (_label, make) => {
  const pieces = [seededBytes(3, 1000), seededBytes(4, 10), seededBytes(5, 2000)];
  const digest = blake3(concatBytes(pieces));
  let chunks: { digest: Uint8Array; size: bigint }[];

  beforeEach(async () => {
    await server.close();
    await serve(make());
    await blobs.putMany(pieces);
    chunks = pieces.map((piece) => ({
      digest: blake3(piece).toBytes(),
      size: BigInt(piece.byteLength),
    }));
  });

  type Message = MessageInitShape<typeof PutChunkedBlobRequestSchema>;

  function put(...messages: Message[]) {
    return client().putChunkedBlob(
      (async function* () {
        yield* messages;
      })(),
    );
  }

  it("makes a blob, whatever messages the list comes in", async () => {
    await put(
      { chunks: chunks.slice(0, 2) },
      {},
      { digest: digest.toBytes(), chunks: chunks.slice(2) },
    );
    expect(await blobs.has(digest)).toBe(true);
    await put({ chunks }, { digest: digest.toBytes() });
  });

  it("takes chunks that are sent, among those that are stored", async () => {
    const [a, b] = [seededBytes(6, 300_000), seededBytes(7, 10)];
    const whole = blake3(concatBytes([a, pieces[0] as Uint8Array, b, b]));
    const sent = (size: number) => ({ size: BigInt(size) });
    await put(
      { chunks: [sent(300_000)], contents: a },
      { chunks: [chunks[0] ?? {}, sent(10), sent(10)], contents: concatBytes([b, b]) },
      { digest: whole.toBytes() },
    );
    expect(await blobs.hasMany([whole, blake3(a), blake3(b)])).toEqual([true, true, true]);
  });

  it("makes the empty blob", async () => {
    await put({ digest: EMPTY_DIGEST.toBytes() });
    expect(await blobs.has(EMPTY_DIGEST)).toBe(true);
  });

  const refused: readonly [string, Code, RegExp, () => Message[]][] = [
    ["no message", Code.InvalidArgument, /no digest/, () => []],
    ["no digest", Code.InvalidArgument, /no digest/, () => [{ chunks }]],
    [
      "a message after the digest",
      Code.InvalidArgument,
      /follows/,
      () => [{ digest: digest.toBytes(), chunks }, {}],
    ],
    ["a short digest", Code.InvalidArgument, /length/, () => [{ digest: new Uint8Array(31) }]],
    [
      "a short digest of a chunk",
      Code.InvalidArgument,
      /length/,
      () => [{ digest: digest.toBytes(), chunks: [{ digest: new Uint8Array(1), size: 1n }] }],
    ],
    [
      "fewer bytes than it is told of",
      Code.InvalidArgument,
      /2 bytes are sent for chunks of 3/,
      () => [{ digest: digest.toBytes(), chunks: [{ size: 3n }], contents: new Uint8Array(2) }],
    ],
    [
      "more bytes than it is told of",
      Code.InvalidArgument,
      /2 bytes are sent for chunks of 0/,
      () => [{ digest: digest.toBytes(), contents: new Uint8Array(2) }],
    ],
    [
      "a huge chunk that is sent",
      Code.InvalidArgument,
      /a chunk of 1048577 bytes/,
      () => [{ digest: digest.toBytes(), chunks: [{ size: BigInt(MAX_SENT_CHUNK_BYTES) + 1n }] }],
    ],
    [
      "an upload that breaks off",
      Code.InvalidArgument,
      /no digest/,
      () => [{ chunks: [{ size: 2n }], contents: new Uint8Array(2) }],
    ],
    [
      "an empty chunk",
      Code.InvalidArgument,
      /a chunk of 0 bytes/,
      () => [{ digest: digest.toBytes(), chunks: [{ digest: EMPTY_DIGEST.toBytes(), size: 0n }] }],
    ],
    [
      "a huge chunk",
      Code.InvalidArgument,
      /a chunk of 16777217 bytes/,
      () => [
        {
          digest: digest.toBytes(),
          chunks: [{ digest: digest.toBytes(), size: BigInt(MAX_CHUNK_BYTES) + 1n }],
        },
      ],
    ],
    [
      "chunks that make up something else",
      Code.InvalidArgument,
      /make up/,
      () => [{ digest: digest.toBytes(), chunks: chunks.toReversed() }],
    ],
    [
      "a wrong size",
      Code.InvalidArgument,
      /bytes instead of/,
      () => [
        {
          digest: digest.toBytes(),
          chunks: chunks.map((one) => ({ ...one, size: one.size + 1n })),
        },
      ],
    ],
    [
      "a chunk that is not stored",
      Code.NotFound,
      /is not stored/,
      () => [
        { digest: digest.toBytes(), chunks: [...chunks, { digest: NOWHERE.toBytes(), size: 1n }] },
      ],
    ],
  ];
  it.each(refused)("refuses %s", async (_name, code, message, messages) => {
    await expectFailure(put(...messages()), code, message);
    expect(await blobs.has(digest)).toBe(false);
  });

  it("refuses more chunks than it holds in memory", async () => {
    const others = new Array(MAX_CHUNKS + 1 - chunks.length).fill(
      create(PutChunkedBlobRequest_ChunkMetaSchema),
    );
    const call = put({ chunks }, { chunks: others, digest: digest.toBytes() });
    await expectFailure(call, Code.InvalidArgument, /1048577 chunks, more than 1048576/);
  });
});

describe("FindMissingDirectories", () => {
  it("answers with the positions of those that are not stored", async () => {
    const stored = directoryOf({});
    const digest = await directories.put(stored);
    const digests = [NOWHERE, digest, directoryDigest(stored), NOWHERE];
    const { missing } = await client().findMissingDirectories({
      digests: digests.map((one) => one.toBytes()),
    });
    expect(missing).toEqual([0, 3]);
  });

  it("answers about many", async () => {
    const digests = new Array(1000).fill(NOWHERE.toBytes());
    const { missing } = await client().findMissingDirectories({ digests });
    expect(missing).toEqual(digests.map((_, i) => i));
  });

  it("refuses digests of another length", async () => {
    const call = client().findMissingDirectories({ digests: [new Uint8Array(33)] });
    await expectFailure(call, Code.InvalidArgument, /^invalid digest length/);
  });
});

describe("PutDirectories", () => {
  const encoded = (...closure: Directory[]) => closure.map((one) => digestDirectory(one).encoded);
  const closure = [...chain(3)];
  const root = directoryDigest(closure.at(-1) as Directory);

  function put(...messages: MessageInitShape<typeof PutDirectoriesRequestSchema>[]) {
    return client().putDirectories(
      (async function* () {
        yield* messages;
      })(),
    );
  }

  it("stores a closure, whatever messages it comes in", async () => {
    const [first, ...others] = encoded(...closure) as [Uint8Array, ...Uint8Array[]];
    const { rootDigest } = await put(
      { directories: [first] },
      {},
      { directories: others },
      { rootDigest: root.toBytes() },
    );
    expect(root.equalsBytes(rootDigest)).toBe(true);
    expect(await collect(directories.getRecursive(root))).toHaveLength(closure.length);
  });

  it.each([
    ["no message", /no root/, []],
    ["an upload that breaks off", /no root/, [{ directories: encoded(...closure) }]],
    ["a message after the root", /follows/, [{ rootDigest: root.toBytes() }, {}]],
    [
      "what is no Directory",
      /Invalid directory/,
      [{ directories: [Uint8Array.of(7)], rootDigest: root.toBytes() }],
    ],
    [
      "what is no closure",
      /Invalid directory closure/,
      [{ directories: encoded(...closure.toReversed()), rootDigest: root.toBytes() }],
    ],
    [
      "another root than is stated",
      /make up/,
      [{ directories: encoded(...closure), rootDigest: NOWHERE.toBytes() }],
    ],
  ])("refuses %s", async (_name, message, messages) => {
    await expectFailure(put(...messages), Code.InvalidArgument, message);
    expect(await directories.get(root)).toBeUndefined();
  });
});
