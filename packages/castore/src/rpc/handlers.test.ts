import http2 from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  BlobService as BlobServiceDesc,
  DirectoryService as DirectoryServiceDesc,
  GetDirectoryRequestSchema,
  StatBlobResponseSchema,
} from "@tvix/protos/castore";
import { SnixBlobService, SnixDirectoryService } from "@tvix/protos/snix";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { outboardBytes } from "../bao/outboard.js";
import type { BlobService } from "../blobservice/blob-service.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import { concatBytes, toHex } from "../bytes.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { CastoreError, type CastoreErrorCode } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import type { Directory } from "../nodes/directory.js";
import { directoryNode, fileNode } from "../nodes/node.js";
import { CLOSURES, directoryOf, NOWHERE, nodeOf } from "../testing/directory-builders.js";
import { expectSameBytes } from "../testing/expectations.js";
import { directoryFixture, EMPTY_DIGEST } from "../testing/fixtures.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { seededBytes } from "../testing/seeded-random.js";
import { collect } from "../testing/sources.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { registerBlobService } from "./blob-service.js";
import { directoryToMessage } from "./directory-message.js";
import { registerDirectoryService } from "./directory-service.js";
import type { FailedCall } from "./handler-call.js";
import { BLOB_SIZE_HEADER } from "./limits.js";

const [A, KEEP, B, D, D_DOUBLED] = ["A", "WITH_KEEP", "B", "D", "D (doubled)"].map(
  (name) => directoryFixture(name).directory,
) as [Directory, Directory, Directory, Directory, Directory];

const SHORT_DIGESTS = [0, 31, 33].map((length) => new Uint8Array(length));

interface Reported {
  readonly error: unknown;
  readonly call: FailedCall;
}

let server: GrpcServer;
let blobs: MemoryBlobService;
let directories: MemoryDirectoryService;
let reported: Reported[];

/** Serves `services` in place of those in memory. */
async function serve(services: { blobs?: BlobService; directories?: DirectoryService } = {}) {
  const onError = (error: unknown, call: FailedCall) => reported.push({ error, call });
  server = await serveGrpc((router) => {
    registerBlobService(router, services.blobs ?? blobs, { onError });
    registerDirectoryService(router, services.directories ?? directories, { onError });
  });
}

beforeEach(async () => {
  blobs = new MemoryBlobService();
  directories = new MemoryDirectoryService();
  reported = [];
  await serve();
});

afterEach(() => server.close());

async function reserve(services: Parameters<typeof serve>[0]): Promise<void> {
  await server.close();
  await serve(services);
}

const blobClient = () => createClient(BlobServiceDesc, server.transport);
const directoryClient = () => createClient(DirectoryServiceDesc, server.transport);

async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => expect.fail("The call succeeded"),
    (error: unknown) => ConnectError.from(error),
  );
}

async function expectFailure(call: Promise<unknown>, code: Code, message: RegExp): Promise<void> {
  const error = await failureOf(call);
  expect(Code[error.code]).toBe(Code[code]);
  expect(error.rawMessage).toMatch(message);
}

/** A service that fails in every method that is named. */
function failing<T extends object>(service: T, error: unknown, ...methods: (keyof T)[]): T {
  return new Proxy(service, {
    get: (target, name) =>
      methods.includes(name as keyof T) ? () => Promise.reject(error) : bound(target, name),
  });
}

/** A property of `target`, which finds its private fields when it is a method. */
function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target);
  return typeof value === "function" ? value.bind(target) : value;
}

const STATUS: readonly [CastoreErrorCode, Code][] = [
  ["INVALID_ARGUMENT", Code.InvalidArgument],
  ["CORRUPT", Code.DataLoss],
  ["UNAVAILABLE", Code.Unavailable],
  ["STORAGE", Code.Internal],
];

describe("BlobService.Stat", () => {
  it.each(SHORT_DIGESTS)("refuses a digest of another length: %s", async (digest) => {
    await expectFailure(
      blobClient().stat({ digest }),
      Code.InvalidArgument,
      /^invalid digest length/,
    );
  });

  it.each([true, false])(
    "does not find what is not stored (chunks asked: %s)",
    async (sendChunks) => {
      const digest = NOWHERE.toBytes();
      const stat = blobClient().stat({ digest, sendChunks });
      await expectFailure(stat, Code.NotFound, /^blob b3:.* not found$/);
      expect(reported).toHaveLength(1);
    },
  );

  it.each(STATUS)("has the status of a failure: %s", async (code, status) => {
    const error = new CastoreError(code, "what happened");
    await reserve({ blobs: failing<BlobService>(blobs, error, "openRead") });
    const digest = NOWHERE.toBytes();
    await expectFailure(blobClient().stat({ digest }), status, /./);
    await expectFailure(blobClient().stat({ digest, sendChunks: true }), status, /./);
    expect(reported.map((report) => report.error)).toEqual([error, error]);
    expect(reported[0]?.call).toEqual({ service: "tvix.castore.v1.BlobService", method: "Stat" });
  });

  it.each([
    { sendChunks: false, sendBao: false },
    { sendChunks: true, sendBao: false },
    { sendChunks: false, sendBao: true },
    { sendChunks: true, sendBao: true },
  ])("tells what is asked for, and always the length: %o", async (asked) => {
    const pieces = [seededBytes(1, 10_000), seededBytes(2, 20_000)];
    const digest = await blobs.put(pieces);
    const chunks = pieces.map((piece) => ({ digest: blake3(piece), size: piece.byteLength }));
    const chunked: BlobService = new Proxy<BlobService>(blobs, {
      get: (target, name) => (name === "chunks" ? async () => chunks : bound(target, name)),
    });
    await reserve({ blobs: chunked });
    let size: string | null = "none came";
    const onHeader = (header: Headers) => {
      size = header.get(BLOB_SIZE_HEADER);
    };
    const answer = await blobClient().stat({ digest: digest.toBytes(), ...asked }, { onHeader });
    const told = answer.chunks.map((chunk) => [toHex(chunk.digest), chunk.size]);
    const expected = chunks.map((chunk) => [chunk.digest.toHex(), BigInt(chunk.size)]);
    expect(told).toEqual(asked.sendChunks ? expected : []);
    const tree = (await blobs.tree(digest)) ?? expect.fail("The blob is not stored");
    const outboard = asked.sendBao ? await outboardBytes(tree, digest) : new Uint8Array(0);
    expect(toHex(answer.bao)).toBe(toHex(outboard));
    expect(size).toBe("30000");
  });

  it("gives no outboard when the store has none, and none that does not fit into 4 MiB", async () => {
    const digest = await blobs.put([seededBytes(1, 40_000)]);
    const chunk = { digest, size: 1 };
    const count = 102_296;
    const services: readonly [Partial<BlobService>, number][] = [
      [{ chunks: async () => new Array(count).fill(chunk) }, 8 + 64 + 64],
      [{ chunks: async () => new Array(count + 1).fill(chunk) }, 0],
      [{ tree: async () => undefined }, 0],
    ];
    for (const [replaced, length] of services) {
      const store = new Proxy<BlobService>(blobs, {
        get: (target, name) => Reflect.get(replaced, name) ?? bound(target, name),
      });
      await reserve({ blobs: store });
      const request = { digest: digest.toBytes(), sendChunks: true, sendBao: true };
      const answer = await blobClient().stat(request);
      expect(answer.bao).toHaveLength(length);
      const encoded = toBinary(StatBlobResponseSchema, answer);
      expect(encoded.byteLength).toBeLessThanOrEqual(4 * 1024 * 1024);
    }
  });

  it("tells the length of a blob without chunks as well", async () => {
    const digest = await blobs.put([seededBytes(3, 12_345)]);
    let size: string | null = null;
    const { chunks } = await blobClient().stat(
      { digest: digest.toBytes(), sendChunks: true },
      {
        onHeader: (header) => {
          size = header.get(BLOB_SIZE_HEADER);
        },
      },
    );
    expect(chunks).toEqual([]);
    expect(size).toBe("12345");
  });

  it("tells of no chunks when there are more than fit into a message of 4 MiB", async () => {
    const digest = await blobs.put([Uint8Array.of(1)]);
    const chunk = { digest, size: 1 };
    for (const [count, told] of [
      [102_300, 102_300],
      [102_301, 0],
    ] as const) {
      const list = new Array(count).fill(chunk);
      const many = new Proxy<BlobService>(blobs, {
        get: (target, name) => (name === "chunks" ? async () => list : bound(target, name)),
      });
      await reserve({ blobs: many });
      const answer = await blobClient().stat({ digest: digest.toBytes(), sendChunks: true });
      expect(answer.chunks).toHaveLength(told);
    }
  });
});

describe("BlobService.Read", () => {
  const read = (digest: Uint8Array) => collect(blobClient().read({ digest }));

  it.each(SHORT_DIGESTS)("refuses a digest of another length: %s", async (digest) => {
    await expectFailure(read(digest), Code.InvalidArgument, /^invalid digest length/);
  });

  it("does not find what is not stored", async () => {
    await expectFailure(read(NOWHERE.toBytes()), Code.NotFound, /^blob b3:.* not found$/);
  });

  it("sends nothing for the empty blob", async () => {
    const digest = await blobs.put([]);
    expect(await read(digest.toBytes())).toEqual([]);
  });

  it("sends messages of at most 1 MiB", async () => {
    const bytes = seededBytes(4, 5_000_000);
    const whole: BlobService = new Proxy<BlobService>(blobs, {
      get: (target, name) =>
        name === "openRead"
          ? async () => ({ size: bytes.byteLength, stream: () => [bytes] })
          : bound(target, name),
    });
    await reserve({ blobs: whole });
    const messages = await read(NOWHERE.toBytes());
    expect(messages.map(({ data }) => data.byteLength)).toEqual([
      ...new Array(4).fill(1_048_576),
      5_000_000 - 4 * 1_048_576,
    ]);
    expectSameBytes(concatBytes(messages.map(({ data }) => data)), bytes);
  });

  it.each(STATUS)("has the status of a failure in the middle: %s", async (code, status) => {
    const stream = async function* () {
      yield Uint8Array.of(1);
      throw new CastoreError(code, "what happened");
    };
    const broken = new Proxy<BlobService>(blobs, {
      get: (target, name) =>
        name === "openRead" ? async () => ({ size: 2, stream }) : bound(target, name),
    });
    await reserve({ blobs: broken });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { data } of blobClient().read({ digest: NOWHERE.toBytes() })) {
        seen.push(data.byteLength);
      }
    })();
    await expectFailure(reading, status, /./);
    expect(seen).toEqual([1]);
  });

  it("closes what it reads from when the client leaves while the server waits for it", async () => {
    let closed = false;
    let produced = 0;
    let onClosed = (): void => {};
    const done = new Promise<void>((resolve) => {
      onClosed = resolve;
    });
    const stream = async function* () {
      try {
        for (;;) {
          produced++;
          yield new Uint8Array(512 * 1024);
        }
      } finally {
        closed = true;
        onClosed();
      }
    };
    const endless = new Proxy<BlobService>(blobs, {
      get: (target, name) =>
        name === "openRead"
          ? async () => ({ size: Number.MAX_SAFE_INTEGER, stream })
          : bound(target, name),
    });
    await reserve({ blobs: endless });
    const cancel = new AbortController();
    const messages = blobClient().read({ digest: NOWHERE.toBytes() }, { signal: cancel.signal });
    await messages[Symbol.asyncIterator]().next();
    // Until the windows are full and the server stands still.
    for (let last = -1; last !== produced; ) {
      last = produced;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(closed).toBe(false);
    cancel.abort();
    await done;
    expect(closed).toBe(true);
    expect(produced).toBeLessThan(100);
    expect(reported).toEqual([]);
  });
});

describe("BlobService.Put", () => {
  async function* chunks(...parts: Uint8Array[]) {
    for (const data of parts) yield { data };
  }

  it("stores the empty blob for no message and for empty ones", async () => {
    for (const parts of [[], [new Uint8Array(0)], [new Uint8Array(0), new Uint8Array(0)]]) {
      const { digest } = await blobClient().put(chunks(...parts));
      expect(Buffer.from(digest).toString("hex")).toBe(EMPTY_DIGEST.toHex());
    }
  });

  it("stores what the messages make up", async () => {
    const parts = [seededBytes(5, 10), new Uint8Array(0), seededBytes(6, 2_000_000)];
    const { digest } = await blobClient().put(chunks(...parts));
    expect(blake3(concatBytes(parts)).equalsBytes(digest)).toBe(true);
    expect(await blobs.has(blake3(concatBytes(parts)))).toBe(true);
  });

  it.each([
    ["STORAGE", Code.Internal],
    ["UNAVAILABLE", Code.Unavailable],
  ] as const)("has the status of a failure: %s", async (code, status) => {
    const error = new CastoreError(code, "what happened");
    await reserve({ blobs: failing<BlobService>(blobs, error, "put") });
    await expectFailure(blobClient().put(chunks(Uint8Array.of(1))), status, /./);
  });

  it("says nothing of what is no error of ours", async () => {
    await reserve({ blobs: failing<BlobService>(blobs, new Error("/secret"), "put") });
    await expectFailure(
      blobClient().put(chunks(Uint8Array.of(1))),
      Code.Internal,
      /^internal error$/,
    );
    expect(reported[0]?.error).toMatchObject({ message: "/secret" });
  });

  it("stores nothing of an upload that is cut off, at any time", async () => {
    for (let round = 0; round < 40; round++) {
      const cancel = new AbortController();
      const bytes = seededBytes(100 + round, 1000);
      const upload = async function* () {
        yield { data: bytes };
        if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
        cancel.abort();
        yield { data: bytes };
      };
      const failure = await failureOf(blobClient().put(upload(), { signal: cancel.signal }));
      expect(failure.code).toBe(Code.Canceled);
      expect(await blobs.has(blake3(bytes))).toBe(false);
    }
    expect(reported).toEqual([]);
  });
});

describe("DirectoryService.Get", () => {
  const get = (digest: Uint8Array, recursive = false) =>
    collect(directoryClient().get({ byWhat: { case: "digest", value: digest }, recursive }));

  it("refuses a request that asks for nothing", async () => {
    const call = collect(directoryClient().get({}));
    await expectFailure(call, Code.InvalidArgument, /^invalid by_what/);
  });

  it.each(SHORT_DIGESTS)("refuses a digest of another length: %s", async (digest) => {
    await expectFailure(get(digest), Code.InvalidArgument, /^invalid digest length/);
    await expectFailure(get(digest, true), Code.InvalidArgument, /^invalid digest length/);
  });

  it("does not find what is not stored", async () => {
    await expectFailure(get(NOWHERE.toBytes()), Code.NotFound, /^directory b3:.* not found$/);
  });

  it("sends headers, and only then, as trailers, that it found nothing", async () => {
    const events = await rawGet(GetDirectoryRequestSchema, NOWHERE.toBytes());
    expect(events.map(({ event }) => event)).toEqual(["response", "trailers", "end"]);
    expect(events[0]?.headers?.["grpc-status"]).toBeUndefined();
    expect(events[1]?.headers?.["grpc-status"]).toBe("5");
  });

  it("sends one Directory, with children or not", async () => {
    await directories.putMultiple([A, B, D]);
    for (const directory of [A, B, D]) {
      const messages = await get(directoryDigest(directory).toBytes());
      expect(messages).toEqual([directoryToMessage(directory)]);
    }
  });

  it("sends nothing, without an error, for a closure whose root is not stored", async () => {
    expect(await get(NOWHERE.toBytes(), true)).toEqual([]);
    expect(reported).toEqual([]);
  });

  it.each(CLOSURES)(
    "sends the closure $name, each Directory once",
    async ({ directories: all }) => {
      const root = await directories.putMultiple(all);
      const messages = await get(root.toBytes(), true);
      expect(messages[0]).toEqual(directoryToMessage(all.at(-1) as Directory));
      expect(messages).toHaveLength(new Set(all.map((one) => directoryDigest(one).key)).size);
    },
  );

  it("fails as Internal, after what there is, when a child is missing", async () => {
    const parent = directoryOf({ gone: directoryNode(NOWHERE, 1n) });
    const torn = new Proxy<DirectoryService>(directories, {
      get: (target, name) =>
        name === "getRecursive"
          ? async function* () {
              yield parent;
              throw new CastoreError("MISSING_REFERENCE", "a child is not stored");
            }
          : bound(target, name),
    });
    await reserve({ directories: torn });
    await expectFailure(get(NOWHERE.toBytes(), true), Code.Internal, /^a child is not stored$/);
  });
});

describe("DirectoryService.Put", () => {
  async function put(...all: Directory[]): Promise<string> {
    const { rootDigest } = await directoryClient().put(messagesOf(all));
    return Buffer.from(rootDigest).toString("hex");
  }

  async function* messagesOf(all: readonly Directory[]) {
    for (const directory of all) yield directoryToMessage(directory);
  }

  it("stores a closure and answers with its root", async () => {
    expect(await put(A, B, D)).toBe(directoryDigest(D).toHex());
    expect(await directories.get(directoryDigest(B))).toBeDefined();
  });

  it("takes either rule of sizes, and repetitions", async () => {
    expect(await put(A, B, D_DOUBLED)).toBe(directoryDigest(D_DOUBLED).toHex());
    expect(await put(A, A, B, A, D, D)).toBe(directoryDigest(D).toHex());
  });

  it.each([
    ["nothing", [], /no directories/],
    ["a parent first", [A, D, B], /before it came/],
    ["a child that is stored but not sent", [directoryOf({ k: nodeOf(KEEP) })], /before it came/],
    [
      "a wrong size",
      [KEEP, directoryOf({ k: directoryNode(directoryDigest(KEEP), 9n) })],
      /size 9/,
    ],
    ["two rules", [A, B, D, directoryOf({ d: nodeOf(D, "doubled") })], /other rule/],
    ["two roots", [A, KEEP], /no parent/],
  ] as const)("refuses %s as Internal", async (_label, all, message) => {
    await directories.put(KEEP);
    await expectFailure(put(...all), Code.Internal, message);
  });

  it.each([
    ["names out of order", [file("b"), file("a")], /not sorted/],
    ["a name twice", [file("a"), file("a")], /duplicate name/],
    ["an empty name", [file("")], /name/],
    ["a name with a slash", [file("a/b")], /name/],
    ["a short digest", [{ ...file("a"), digest: new Uint8Array(31) }], /digest/],
  ] as const)("refuses %s as Internal", async (_label, files, message) => {
    const upload = async function* () {
      yield { files: [...files] };
    };
    await expectFailure(directoryClient().put(upload()), Code.Internal, message);
  });

  it("stores the Directory that the known fields describe", async () => {
    const message = directoryToMessage(directoryOf({ a: fileNode(EMPTY_DIGEST, 0n) }));
    message.$unknown = [{ no: 99, wireType: 0, data: Uint8Array.of(1) }];
    const upload = async function* () {
      yield message;
    };
    const { rootDigest } = await directoryClient().put(upload());
    const expected = directoryDigest(directoryOf({ a: fileNode(EMPTY_DIGEST, 0n) }));
    expect(expected.equalsBytes(rootDigest)).toBe(true);
  });

  it("stores nothing of an upload that is cut off", async () => {
    for (let round = 0; round < 20; round++) {
      const cancel = new AbortController();
      const upload = async function* () {
        yield directoryToMessage(KEEP);
        cancel.abort();
        yield directoryToMessage(D);
      };
      const failure = await failureOf(directoryClient().put(upload(), { signal: cancel.signal }));
      expect(failure.code).toBe(Code.Canceled);
    }
    expect(await directories.get(directoryDigest(KEEP))).toBeUndefined();
    expect(reported).toEqual([]);
  });
});

describe("the names of snix", () => {
  it("serve the same", async () => {
    const digest = await blobs.put([Uint8Array.of(1, 2)]);
    const client = createClient(SnixBlobService, server.transport);
    await expect(client.stat({ digest: digest.toBytes() })).resolves.toMatchObject({ chunks: [] });
    const messages = await collect(client.read({ digest: digest.toBytes() }));
    expect(messages.map(({ data }) => [...data])).toEqual([[1, 2]]);
    const root = await directories.putMultiple([A, B, D]);
    const closure = await collect(
      createClient(SnixDirectoryService, server.transport).get({
        byWhat: { case: "digest", value: root.toBytes() },
        recursive: true,
      }),
    );
    expect(closure).toHaveLength(3);
  });
});

function file(name: string) {
  return { name: new TextEncoder().encode(name), digest: EMPTY_DIGEST.toBytes(), size: 1n };
}

/** What arrives on the wire of a `Get`, in order. */
async function rawGet(schema: typeof GetDirectoryRequestSchema, digest: Uint8Array) {
  const events: { event: string; headers?: http2.IncomingHttpHeaders }[] = [];
  const request = toBinary(schema, create(schema, { byWhat: { case: "digest", value: digest } }));
  const envelope = Buffer.alloc(5 + request.byteLength);
  envelope.writeUInt32BE(request.byteLength, 1);
  envelope.set(request, 5);
  const session = http2.connect(server.url);
  const stream = session.request({
    ":method": "POST",
    ":path": "/tvix.castore.v1.DirectoryService/Get",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("response", (headers) => events.push({ event: "response", headers }));
  stream.on("trailers", (headers) => events.push({ event: "trailers", headers }));
  stream.on("data", () => events.push({ event: "data" }));
  await new Promise<void>((resolve, reject) => {
    stream.on("end", () => {
      events.push({ event: "end" });
      resolve();
    });
    stream.on("error", reject);
    stream.end(envelope);
  });
  session.close();
  return events;
}
