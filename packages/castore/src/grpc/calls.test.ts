import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { BatchService } from "@tvix/protos/batch";
import {
  BlobService as BlobServiceDesc,
  DirectoryService as DirectoryServiceDesc,
} from "@tvix/protos/castore";
import { afterEach, describe, expect, it } from "vitest";
import { MemoryBlobService } from "../blobservice/memory.js";
import { concatBytes } from "../bytes.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { blake3 } from "../hasher/blake3.js";
import { registerBatchService } from "../rpc/batch-service.js";
import { registerBlobService } from "../rpc/blob-service.js";
import { registerDirectoryService } from "../rpc/directory-service.js";
import { BLOBS_MESSAGE_BYTES } from "../rpc/limits.js";
import { chain, NOWHERE } from "../testing/directory-builders.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { seededBytes } from "../testing/seeded-random.js";
import { collect, piecesOf } from "../testing/sources.js";
import { GrpcBlobService } from "./blob-service.js";
import { GrpcDirectoryService } from "./directory-service.js";

const MIB = 1024 * 1024;

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function serve(routes: (router: ConnectRouter) => void): Promise<GrpcServer> {
  const server = await serveGrpc(routes);
  closers.push(() => server.close());
  return server;
}

/** What went over a transport: methods and the bytes of the blobs that were sent. */
interface Traffic {
  readonly calls: string[];
  readonly sizes: number[];
}

async function* watch<T>(
  source: AsyncIterable<T>,
  see: (item: unknown) => void,
): AsyncGenerator<T> {
  for await (const item of source) {
    see(item);
    yield item;
  }
}

async function watchedServer(): Promise<
  { server: GrpcServer; backend: MemoryBlobService } & Traffic
> {
  const backend = new MemoryBlobService();
  const directories = new MemoryDirectoryService();
  const calls: string[] = [];
  const sizes: number[] = [];
  const server = await serve((router) => {
    registerBlobService(router, backend);
    registerBatchService(router, { blobs: backend, directories });
  });
  const { transport } = server;
  const watched: GrpcServer = {
    ...server,
    transport: {
      unary: (method, signal, timeout, header, input, values) => {
        calls.push(method.name);
        const { contents = [] } = input as { contents?: Uint8Array[] };
        if (method.name === "PutBlobs") {
          sizes.push(contents.reduce((sum, content) => sum + content.byteLength, 0));
        }
        return transport.unary(method, signal, timeout, header, input, values);
      },
      stream: (method, signal, timeout, header, input, values) => {
        calls.push(method.name);
        const watchedInput: typeof input = watch(input, (message) => {
          const { contents } = message as { contents?: Uint8Array };
          if (contents !== undefined) sizes.push(contents.byteLength);
        });
        return transport.stream(method, signal, timeout, header, watchedInput, values);
      },
    },
  };
  return { server: watched, backend, calls, sizes };
}

describe("an upload to a server with batches", () => {
  it("sends the chunks that are missing, in one call", async () => {
    const { server, backend, calls, sizes } = await watchedServer();
    const blobs = new GrpcBlobService(server.transport);
    const bytes = seededBytes(1, 12 * MIB);
    const digest = await blobs.put(piecesOf(bytes, 100_000));
    expect(digest.equals(blake3(bytes))).toBe(true);
    expect(await backend.has(digest)).toBe(true);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(bytes.byteLength);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MIB);
    expect(new Set(calls)).toEqual(new Set(["FindMissingBlobs", "PutChunkedBlob"]));
    expect(calls.filter((name) => name === "PutChunkedBlob")).toHaveLength(1);

    sizes.length = 0;
    const changed = concatBytes([
      bytes.subarray(0, 6 * MIB),
      Uint8Array.of(1),
      bytes.subarray(6 * MIB),
    ]);
    await blobs.put([changed]);
    const sent = sizes.reduce((sum, size) => sum + size, 0);
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(3 * MIB);
    expect(await backend.has(blake3(changed))).toBe(true);
  });

  it("sends a chunk that comes again once", async () => {
    const { server, backend, sizes } = await watchedServer();
    const zeros = new Uint8Array(20 * MIB);
    await new GrpcBlobService(server.transport).put([zeros]);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(2 * MIB);
    expect(await backend.has(blake3(zeros))).toBe(true);
  });

  it("names the chunks of a large blob that are all there, or nothing when it is there itself", async () => {
    const { server, backend, calls, sizes } = await watchedServer();
    const blobs = new GrpcBlobService(server.transport);
    const bytes = seededBytes(1, 5 * MIB);
    await blobs.put([bytes]);
    sizes.length = 0;
    calls.length = 0;
    await blobs.put([bytes]);
    expect(new Set(calls)).toEqual(new Set(["FindMissingBlobs"]));
    const twice = concatBytes([bytes, bytes]);
    await blobs.put([twice]);
    const again = blobs.put([concatBytes([twice.subarray(0, 5 * MIB)])]);
    await again;
    expect(await backend.has(blake3(twice))).toBe(true);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MIB);
  });

  it("sends small blobs that are missing, each once, in messages of some 2 MiB", async () => {
    const { server, backend, sizes } = await watchedServer();
    const contents = Array.from({ length: 100 }, (_, i) => seededBytes(i, 50_000));
    await backend.putMany(contents.slice(0, 50));
    const blobs = new GrpcBlobService(server.transport);
    await blobs.putMany([...contents, ...contents]);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(50 * 50_000);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(BLOBS_MESSAGE_BYTES);
  });

  it("sends nothing when nothing is missing", async () => {
    const { server, backend, calls } = await watchedServer();
    const contents = [seededBytes(1, 100), seededBytes(2, 100)];
    await backend.putMany(contents);
    await new GrpcBlobService(server.transport).putMany(contents);
    expect(calls).toEqual(["FindMissingBlobs"]);
  });
});

describe("a server without batches", () => {
  it("is asked for them once", async () => {
    const backend = new MemoryBlobService();
    let asked = 0;
    const server = await serve((router) => {
      registerBlobService(router, backend);
      router.service(BatchService, {
        findMissingBlobs: () => {
          asked++;
          throw new ConnectError("no such thing", Code.Unimplemented);
        },
      });
    });
    const blobs = new GrpcBlobService(server.transport);
    const contents = [seededBytes(1, 10), seededBytes(2, 2 * MIB)];
    const digests = await blobs.putMany(contents);
    await blobs.put([seededBytes(3, 2 * MIB)]);
    expect(await blobs.hasMany([...digests, NOWHERE])).toEqual([true, true, false]);
    expect(asked).toBe(1);
  });
});

describe("a server that cannot be reached for a moment", () => {
  /** Fails that often, as Unavailable, and then works. */
  async function flaky(failures: number, code: Code = Code.Unavailable) {
    let calls = 0;
    const fail = (): void => {
      if (calls++ < failures) throw new ConnectError("not now", code);
    };
    const blob = seededBytes(1, 100);
    const server = await serve((router) => {
      router.service(BlobServiceDesc, {
        stat: (_request, context) => {
          fail();
          context.responseHeader.set("tvix-blob-size", "100");
          return {};
        },
        put: async (requests) => {
          for await (const _ of requests);
          fail();
          return { digest: blake3(blob).toBytes() };
        },
      });
    });
    return { blobs: new GrpcBlobService(server.transport), blob, calls: () => calls };
  }

  it.each([0, 1, 2])("is asked again, after %i failures", async (failures) => {
    const { blobs, blob, calls } = await flaky(failures);
    expect(await blobs.has(blake3(blob))).toBe(true);
    expect(calls()).toBe(failures + 1);
  });

  it("is given up after the third failure", async () => {
    const { blobs, blob, calls } = await flaky(10);
    await expect(blobs.has(blake3(blob))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(calls()).toBe(3);
  });

  it.each([Code.Internal, Code.DeadlineExceeded, Code.NotFound])(
    "is not asked again after status %i",
    async (code) => {
      const { blobs, blob, calls } = await flaky(10, code);
      await blobs.has(blake3(blob)).catch(() => {});
      expect(calls()).toBe(1);
    },
  );

  it("is not sent an upload again: its source is used up", async () => {
    const { blobs, blob, calls } = await flaky(10);
    await expect(blobs.put([blob])).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(calls()).toBe(1);
  });

  it("is not asked again once bytes have come", async () => {
    let reads = 0;
    const blob = seededBytes(1, 100);
    const server = await serve((router) => {
      router.service(BlobServiceDesc, {
        stat: () => ({}),
        read: async function* () {
          reads++;
          yield { data: blob.subarray(0, 50) };
          throw new ConnectError("not now", Code.Unavailable);
        },
      });
    });
    const blobs = new GrpcBlobService(server.transport);
    await expect(blobs.openRead(blake3(blob))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(reads).toBe(1);
  });

  it("is not waited for when the caller aborts", async () => {
    const reason = new Error("enough");
    const cancel = new AbortController();
    let calls = 0;
    const server = await serve((router) => {
      router.service(BlobServiceDesc, {
        stat: () => {
          if (++calls === 2) setImmediate(() => cancel.abort(reason));
          throw new ConnectError("not now", Code.Unavailable);
        },
      });
    });
    const has = new GrpcBlobService(server.transport).has(NOWHERE, { signal: cancel.signal });
    await expect(has).rejects.toBe(reason);
    expect(calls).toBe(2);
  });
});

describe("a call that is left", () => {
  /** Notes when a call has ended on the server. */
  function ending(): { readonly ended: Promise<void>; watch(signal: AbortSignal): void } {
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    return { ended, watch: (signal) => signal.addEventListener("abort", () => end()) };
  }

  async function* endless(signal: AbortSignal) {
    while (!signal.aborted) yield { data: new Uint8Array(1000) };
  }

  it.each(["break", "abort", "throw"])("ends on the server, by %s, for a blob", async (how) => {
    const { ended, watch } = ending();
    const server = await serve((router) => {
      router.service(BlobServiceDesc, {
        stat: (_request, context) => {
          context.responseHeader.set("tvix-blob-size", String(2 ** 40));
          return {};
        },
        read: (_request, { signal }) => {
          watch(signal);
          return endless(signal);
        },
      });
    });
    const cancel = new AbortController();
    const reader = await new GrpcBlobService(server.transport).openRead(NOWHERE);
    const reading = (async () => {
      for await (const _ of reader?.stream({}, { signal: cancel.signal }) ?? []) {
        if (how === "break") break;
        if (how === "throw") throw new Error("enough");
        cancel.abort(new Error("enough"));
      }
    })();
    if (how === "break") await reading;
    else await expect(reading).rejects.toThrow("enough");
    await ended;
  });

  it("ends on the server for a closure", async () => {
    const { ended, watch } = ending();
    const backend = new MemoryDirectoryService();
    const root = await backend.putMultiple(chain(2000));
    const server = await serve((router) => {
      registerDirectoryService(router, {
        get: (...args) => backend.get(...args),
        put: (...args) => backend.put(...args),
        putMultiple: (...args) => backend.putMultiple(...args),
        getRecursive: (digest, options) => {
          if (options?.signal !== undefined) watch(options.signal);
          return backend.getRecursive(digest, options);
        },
      });
    });
    for await (const _ of new GrpcDirectoryService(server.transport).getRecursive(root)) break;
    await ended;
  });

  it("ends on the server for an upload that is aborted while the server works", async () => {
    const { ended, watch } = ending();
    const cancel = new AbortController();
    const reason = new Error("enough");
    const server = await serve((router) => {
      router.service(BlobServiceDesc, {
        put: async (requests, { signal }) => {
          for await (const _ of requests);
          watch(signal);
          cancel.abort(reason);
          return new Promise(() => {});
        },
      });
    });
    const blobs = new GrpcBlobService(server.transport);
    await expect(blobs.put([seededBytes(1, 10)], { signal: cancel.signal })).rejects.toBe(reason);
    await ended;
  });
});

describe("a Directory that is not there", () => {
  it("is absent, also when the server says so without headers", async () => {
    const server = http2.createServer();
    server.on("stream", (stream) => {
      stream.respond(
        {
          ":status": 200,
          "content-type": "application/grpc",
          "grpc-status": String(Code.NotFound),
        },
        { endStream: true },
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const cancel: http2.ServerHttp2Session[] = [];
    server.on("session", (session) => cancel.push(session));
    closers.push(async () => {
      for (const session of cancel) session.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    });
    const directories = new GrpcDirectoryService(createGrpcTransport({ baseUrl }));
    expect(await directories.get(NOWHERE)).toBeUndefined();
    expect(await collect(directories.getRecursive(NOWHERE))).toEqual([]);
  });

  it("is absent when the server sends nothing, without an error", async () => {
    const server = await serve((router) => {
      router.service(DirectoryServiceDesc, { get: async function* () {} });
    });
    const directories = new GrpcDirectoryService(server.transport);
    expect(await directories.get(NOWHERE)).toBeUndefined();
    expect(await collect(directories.getRecursive(NOWHERE))).toEqual([]);
  });
});
