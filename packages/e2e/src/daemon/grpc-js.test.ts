import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Metadata, status } from "@grpc/grpc-js";
import { blake3, concatBytes } from "@tvix/castore";
import { directoryFixture, NOWHERE, seededBytes } from "@tvix/castore/testing";
import { BlobService, DirectorySchema, DirectoryService } from "@tvix/protos/castore";
import { Health } from "@tvix/protos/grpc";
import { SnixBlobService, SnixDirectoryService, SnixPathInfoService } from "@tvix/protos/snix";
import { PathInfoSchema, PathInfoService } from "@tvix/protos/store";
import { PATH_INFO_ENCODINGS } from "@tvix/store/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Daemon, startDaemon } from "./start-daemon.js";
import { Stranger } from "./stranger.js";

const MESSAGE_BYTES = 100_000;

let daemon: Daemon;

beforeAll(async () => {
  daemon = await startDaemon();
});

afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
});

function fixtureMessage(name: string) {
  return fromBinary(DirectorySchema, Buffer.from(directoryFixture(name).encoding, "hex"));
}

function digestOf(name: string): Buffer {
  return Buffer.from(directoryFixture(name).digest, "hex");
}

function* pieces(data: Uint8Array, size = MESSAGE_BYTES): Generator<{ data: Uint8Array }> {
  for (let offset = 0; offset < data.length; offset += size) {
    yield { data: data.subarray(offset, offset + size) };
  }
}

describe.each([
  {
    names: "tvix over TCP",
    address: () => `${daemon.host}:${daemon.port}`,
    services: { blobs: BlobService, directories: DirectoryService, pathInfos: PathInfoService },
  },
  {
    names: "snix over the unix socket",
    address: () => `unix:${daemon.socketPath}`,
    services: {
      blobs: SnixBlobService,
      directories: SnixDirectoryService,
      pathInfos: SnixPathInfoService,
    },
  },
])("grpc-js, names of $names", ({ address, services }) => {
  const { blobs, directories, pathInfos } = services;
  let client: Stranger;

  beforeEach(() => {
    client = new Stranger(address());
  });

  afterEach(() => {
    client.close();
  });

  it.each([0, 1, 300_000, 5_000_000])("puts, stats and reads %d bytes", async (length) => {
    const data = seededBytes(length, length);
    const { digest } = await client.writeAll(blobs.method.put, pieces(data));
    expect(digest).toEqual(blake3(data).toBytes());
    const { chunks } = await client.unary(blobs.method.stat, { digest, sendChunks: true });
    const total = chunks.reduce((sum, chunk) => sum + Number(chunk.size), 0);
    expect(chunks.length === 0 ? length : total).toBe(length);
    const messages = await client.readAll(blobs.method.read, { digest });
    expect(blake3(concatBytes(messages.map((message) => message.data))).toBytes()).toEqual(digest);
  });

  it("puts a closure and gets it back, alone and recursively", async () => {
    const closure = ["A", "B", "D", "E"];
    const { rootDigest } = await client.writeAll(
      directories.method.put,
      closure.map(fixtureMessage),
    );
    expect(rootDigest).toEqual(new Uint8Array(digestOf("E")));
    const get = async (recursive: boolean): Promise<string[]> => {
      const byWhat = { case: "digest", value: rootDigest } as const;
      const found = await client.readAll(directories.method.get, { byWhat, recursive });
      return found.map((message) =>
        Buffer.from(toBinary(DirectorySchema, message)).toString("hex"),
      );
    };
    const encodings = (names: string[]): string[] =>
      names.map((name) => directoryFixture(name).encoding);
    expect(await get(false)).toEqual(encodings(["E"]));
    expect(await get(true)).toEqual(encodings(["E", "D", "A", "B"]));
  });

  it("puts, gets and lists a path info", async () => {
    const symlink = PATH_INFO_ENCODINGS.find(({ name }) => name === "symbolic link");
    const message = fromBinary(
      PathInfoSchema,
      Uint8Array.from(Buffer.from(symlink?.hex ?? "", "hex")),
    );
    expect(await client.unary(pathInfos.method.put, message)).toEqual(message);
    const byWhat = { case: "byOutputHash", value: new Uint8Array(20) } as const;
    expect(await client.unary(pathInfos.method.get, { byWhat })).toEqual(message);
    expect(await client.readAll(pathInfos.method.list, {})).toContainEqual(message);
  });

  it("is told of an absent Directory after the headers, not with them", async () => {
    const byWhat = { case: "digest", value: NOWHERE.toBytes() } as const;
    const events: string[] = [];
    const call = client.read(directories.method.get, { byWhat });
    const code = await new Promise((resolve) => {
      call.on("metadata", () => events.push("headers"));
      call.on("data", () => events.push("message"));
      call.on("error", (error) => resolve("code" in error ? error.code : error));
      call.on("end", () => events.push("end"));
    });
    expect(code).toBe(status.NOT_FOUND);
    expect(events).toEqual(["headers", "end"]);
  });

  it("is told of errors with status and text", async () => {
    const absent = { digest: NOWHERE.toBytes() };
    await expect(client.unary(blobs.method.stat, absent)).rejects.toMatchObject({
      code: status.NOT_FOUND,
      details: `blob ${NOWHERE} not found`,
    });
    await expect(client.readAll(blobs.method.read, absent)).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
    const reversed = ["B", "A"].map(fixtureMessage);
    await expect(client.writeAll(directories.method.put, reversed)).rejects.toMatchObject({
      code: status.INTERNAL,
      details: expect.stringMatching(/\S/),
    });
  });
});

describe("grpc-js", () => {
  let client: Stranger;

  beforeEach(() => {
    client = new Stranger(`${daemon.host}:${daemon.port}`);
  });

  afterEach(() => {
    client.close();
  });

  it("gives up when its deadline passes, and goes on", async () => {
    const { call, answer } = client.write(BlobService.method.put, { deadline: Date.now() + 300 });
    call.write({ $typeName: "tvix.castore.v1.BlobChunk", data: seededBytes(1, 1000) });
    await expect(answer).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(await client.unary(Health.method.check, {})).toMatchObject({ status: 1 });
  });

  it("cancels uploads and downloads in the middle, many times, and goes on", async () => {
    const data = seededBytes(2, 4_000_000);
    const { digest } = await client.writeAll(BlobService.method.put, pieces(data));
    for (let i = 0; i < 50; i++) {
      const download = client.read(BlobService.method.read, { digest });
      const code = new Promise((resolve) => {
        download.on("error", (error) => resolve("code" in error ? error.code : error));
      });
      download.once("data", () => download.cancel());
      const { call, answer } = client.write(BlobService.method.put);
      call.write({ $typeName: "tvix.castore.v1.BlobChunk", data: seededBytes(i, 50_000) }, () =>
        call.cancel(),
      );
      await expect(answer).rejects.toMatchObject({ code: status.CANCELLED });
      expect(await code).toBe(status.CANCELLED);
    }
    const messages = await client.readAll(BlobService.method.read, { digest });
    expect(blake3(concatBytes(messages.map((message) => message.data))).toBytes()).toEqual(digest);
  });

  it("may send a message of 4 MiB and no larger one", async () => {
    const overhead = 5;
    const data = seededBytes(3, 4 * 1024 * 1024 - overhead);
    const { digest } = await client.writeAll(BlobService.method.put, [{ data }]);
    expect(digest).toEqual(blake3(data).toBytes());
    const tooMuch = [{ data: concatBytes([data, Uint8Array.of(1)]) }];
    await expect(client.writeAll(BlobService.method.put, tooMuch)).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringMatching(/\S/),
    });
  });

  it("may compress what it sends with gzip", async () => {
    const gzip = 2;
    using compressing = new Stranger(`${daemon.host}:${daemon.port}`, {
      "grpc.default_compression_algorithm": gzip,
    });
    const data = new Uint8Array(500_000).fill(7);
    const { digest } = await compressing.writeAll(BlobService.method.put, pieces(data));
    expect(digest).toEqual(blake3(data).toBytes());
    const messages = await compressing.readAll(BlobService.method.read, { digest });
    expect(blake3(concatBytes(messages.map((message) => message.data))).toBytes()).toEqual(digest);
  });

  it("may send metadata that means nothing to the daemon", async () => {
    const metadata = new Metadata();
    metadata.set("x-text", "t".repeat(2000));
    metadata.set("x-bytes-bin", Buffer.from(seededBytes(4, 300)));
    expect(await client.unary(Health.method.check, {}, { metadata })).toMatchObject({ status: 1 });
  });

  it("asks 500 questions at the same time", async () => {
    const digest = blake3(new Uint8Array(0)).toBytes();
    await client.writeAll(BlobService.method.put, []);
    const answers = Array.from({ length: 500 }, () =>
      client.unary(BlobService.method.stat, { digest }),
    );
    expect(await Promise.all(answers)).toHaveLength(500);
  });
});
