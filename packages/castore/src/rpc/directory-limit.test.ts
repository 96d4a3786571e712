import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { BatchService } from "@tvix/protos/batch";
import { DirectoryService } from "@tvix/protos/castore";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryBlobService } from "../blobservice/memory.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import type { Directory } from "../nodes/directory.js";
import { chain } from "../testing/directory-builders.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { encodeDirectory } from "../wire/directory-codec.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { registerBatchService } from "./batch-service.js";
import { directoryToMessage } from "./directory-message.js";
import { registerDirectoryService } from "./directory-service.js";

const LIMIT = 5;

describe("registerDirectoryService(), maxDirectories", () => {
  let server: GrpcServer;
  let directories: MemoryDirectoryService;

  beforeEach(async () => {
    directories = new MemoryDirectoryService();
    server = await serveGrpc((router) => {
      const services = { directories, blobs: new MemoryBlobService() };
      registerDirectoryService(router, directories, { maxDirectories: LIMIT });
      registerBatchService(router, services, { maxDirectories: LIMIT });
    });
  });

  afterEach(() => server.close());

  async function put(all: readonly Directory[]): Promise<Uint8Array> {
    const client = createClient(DirectoryService, server.transport);
    const messages = async function* () {
      for (const directory of all) yield directoryToMessage(directory);
    };
    return (await client.put(messages())).rootDigest;
  }

  it("takes as many in one upload", async () => {
    const all = chain(LIMIT);
    const digest = directoryDigest(all.at(-1) as Directory);
    expect(digest.equalsBytes(await put(all))).toBe(true);
    expect(await directories.get(digest)).toBeDefined();
  });

  it.each([
    ["of different Directories", chain(LIMIT + 1)],
    ["of the same Directory", chain(1).flatMap((one) => new Array(LIMIT + 1).fill(one))],
  ])("refuses more %s, and stores nothing", async (_, all: readonly Directory[]) => {
    const error = await put(all).then(
      () => expect.fail("The call succeeded"),
      (cause: unknown) => ConnectError.from(cause),
    );
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.rawMessage).toBe("Cannot store directories: more than 5 in one upload");
    for (const directory of all) {
      expect(await directories.get(directoryDigest(directory))).toBeUndefined();
    }
  });

  it("holds for batches too", async () => {
    const client = createClient(BatchService, server.transport);
    const all = chain(LIMIT + 1);
    const messages = async function* () {
      for (const one of all) yield { directories: [encodeDirectory(one)] };
    };
    const error = await client.putDirectories(messages()).then(
      () => expect.fail("The call succeeded"),
      (cause: unknown) => ConnectError.from(cause),
    );
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.rawMessage).toBe("Cannot store directories: more than 5 in one upload");
  });
});
