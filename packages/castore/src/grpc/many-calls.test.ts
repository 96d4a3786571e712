import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BlobService, CallOptions } from "../blobservice/blob-service.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { LocalStore } from "../localstore/local-store.js";
import { registerBatchService } from "../rpc/batch-service.js";
import { registerBlobService } from "../rpc/blob-service.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { seededBytes } from "../testing/seeded-random.js";
import { collect } from "../testing/sources.js";
import { GrpcBlobService } from "./blob-service.js";

const scratch = scratchDirectory();

/** Well above the number of listeners of one signal from which on Node warns. */
const CALLS = 40;

const BLOB = seededBytes(1, 1000);
const LARGE = seededBytes(2, 300_000);

type Call = (blobs: BlobService, options: CallOptions) => Promise<unknown>;

const METHODS: readonly (readonly [string, Call])[] = [
  ["has", async (blobs, options) => blobs.has(await blobs.put([BLOB]), options)],
  ["hasMany", async (blobs, options) => blobs.hasMany([await blobs.put([BLOB])], options)],
  ["chunks", async (blobs, options) => blobs.chunks(await blobs.put([BLOB]), options)],
  ["put", (blobs, options) => blobs.put([BLOB], options)],
  ["put of a large blob", (blobs, options) => blobs.put([LARGE], options)],
  ["putMany", (blobs, options) => blobs.putMany([BLOB, LARGE], options)],
  [
    "openRead",
    async (blobs, options) => {
      const reader = await blobs.openRead(await blobs.put([LARGE]), options);
      return collect(reader?.stream({}, options) ?? fail());
    },
  ],
];

function fail(): never {
  return expect.fail("The blob is not there");
}

let server: GrpcServer | undefined;
let warnings: Error[];
const onWarning = (warning: Error) => warnings.push(warning);

beforeEach(() => {
  warnings = [];
  process.on("warning", onWarning);
});

afterEach(async () => {
  process.off("warning", onWarning);
  await server?.close();
  server = undefined;
});

async function callMany(blobs: BlobService, call: Call): Promise<void> {
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: CALLS }, () => call(blobs, { signal })));
  // Warnings come a moment later.
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings).toEqual([]);
}

describe.each(METHODS)("many calls of %s with one signal at a time", (_, call) => {
  it.each([true, false])("warn of nothing (batches: %s)", async (batches) => {
    const backend = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
    server = await serveGrpc((router) => {
      registerBlobService(router, backend.blobs);
      if (batches) registerBatchService(router, backend);
    });
    await callMany(new GrpcBlobService(server.transport), call);
  });

  it("warn of nothing where the store is here", async () => {
    await using store = await LocalStore.open(scratch());
    await callMany(store.blobs, call);
  });
});
