import fs from "node:fs";
import type { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BlobService, CallOptions } from "../blobservice/blob-service.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import type { Directory } from "../nodes/directory.js";
import { expectStored, RecordingObserver, walkFileTree } from "../testing/file-tree-walker.js";
import { directory, file, patternBytes, symlink, writeFileTree } from "../testing/file-trees.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { directoryDigest } from "../wire/directory-digest.js";
import type { IngestOptions } from "./ingest.js";
import { ingestPath } from "./ingest-path.js";
import type { TreeObserver } from "./tree-observer.js";
import { BATCH_BYTES } from "./tree-reader.js";

type Source = Parameters<BlobService["put"]>[0];

const scratch = scratchDirectory();
const failure = new Error("the service failed");

/** Every thread that was started; none may be left when an import has ended. */
const threads: Worker[] = [];
const onWorker = (worker: Worker) => threads.push(worker);

beforeEach(() => {
  threads.length = 0;
  process.on("worker", onWorker);
});

afterEach(() => {
  process.off("worker", onWorker);
});

function expectNoThreads(): void {
  expect(threads.map((thread) => thread.threadId)).toEqual(threads.map(() => -1));
}

/** Three batches of small files, with two large files between them. */
const TREE = directory({
  a: directory({ f: file("first") }),
  b: file(patternBytes(2 * BATCH_BYTES)),
  c: directory({ f: file("second"), l: symlink("f") }),
  d: file(patternBytes(BATCH_BYTES + 1)),
  e: file("third"),
});

/** A blob service that does as it is told at its nth call, and counts them. */
class ScriptedBlobs extends MemoryBlobService {
  readonly calls = { put: 0, putMany: 0, pieces: 0 };
  onPut: (call: number, source: Source, options?: CallOptions) => Promise<B3Digest> | undefined =
    () => undefined;
  onPutMany: (call: number, options?: CallOptions) => Promise<B3Digest[]> | undefined = () =>
    undefined;

  override put(source: Source, options?: CallOptions): Promise<B3Digest> {
    this.calls.put += 1;
    return this.onPut(this.calls.put, source, options) ?? super.put(this.#count(source), options);
  }

  override putMany(blobs: readonly Uint8Array[], options?: CallOptions): Promise<B3Digest[]> {
    this.calls.putMany += 1;
    return this.onPutMany(this.calls.putMany, options) ?? super.putMany(blobs, options);
  }

  async *#count(source: Source): AsyncGenerator<Uint8Array> {
    for await (const piece of source) {
      this.calls.pieces += 1;
      yield piece;
    }
  }
}

/** Imports {@link TREE}, which must fail, and then without a fault, which must not. */
async function expectFailure(
  blobs: BlobService,
  options: IngestOptions = {},
  directories: DirectoryService = new MemoryDirectoryService(),
): Promise<unknown> {
  if (!fs.existsSync(scratch("tree"))) writeFileTree(scratch("tree"), TREE);
  const error: unknown = await ingestPath({ blobs, directories }, scratch("tree"), options).then(
    () => expect.fail("It was imported"),
    (reason: unknown) => reason,
  );
  expectNoThreads();
  const expected = walkFileTree(scratch("tree"));
  for (const each of expected.directories.values())
    expect(await directories.get(directoryDigest(each))).toBeUndefined();
  const healthy = { blobs: new MemoryBlobService(), directories };
  await ingestPath(healthy, scratch("tree"));
  await expectStored(healthy, expected);
  return error;
}

describe("ingestPath() and a blob service that fails", () => {
  it.each([1, 2, 3])("rejects with the error of putMany call %i", async (failing) => {
    const blobs = new ScriptedBlobs();
    blobs.onPutMany = (call) => (call === failing ? Promise.reject(failure) : undefined);
    expect(await expectFailure(blobs)).toBe(failure);
  });

  it("rejects with the first of many errors", async () => {
    const blobs = new ScriptedBlobs();
    blobs.onPutMany = (call) => Promise.reject(call === 1 ? failure : new Error(`call ${call}`));
    expect(await expectFailure(blobs)).toBe(failure);
  });

  it("rejects with an error that putMany throws", async () => {
    const blobs = new ScriptedBlobs();
    blobs.onPutMany = () => {
      throw failure;
    };
    expect(await expectFailure(blobs)).toBe(failure);
  });

  it.each([
    ["at once", async () => Promise.reject(failure)],
    [
      "after a piece, leaving the source open",
      async (source: Source) => {
        await first(source);
        throw failure;
      },
    ],
    [
      "after a piece, closing the source",
      async (source: Source): Promise<never> => {
        for await (const _ of source) throw failure;
        expect.fail("There was no piece");
      },
    ],
    [
      "after the last piece",
      async (source: Source): Promise<never> => {
        for await (const _ of source);
        throw failure;
      },
    ],
  ])("rejects with the error of a put that fails %s", async (_, put) => {
    for (const failing of [1, 2]) {
      const blobs = new ScriptedBlobs();
      blobs.onPut = (call, source) => (call === failing ? put(source) : undefined);
      expect(await expectFailure(blobs)).toBe(failure);
    }
  });

  it("rejects with an error that put throws", async () => {
    const blobs = new ScriptedBlobs();
    blobs.onPut = () => {
      throw failure;
    };
    expect(await expectFailure(blobs)).toBe(failure);
  });

  it("ends a large file soon when something before it failed", async () => {
    const content = patternBytes(48 * 1024 * 1024);
    writeFileTree(scratch("tree"), directory({ a: file("a"), b: file(content) }));
    const blobs = new ScriptedBlobs();
    blobs.onPutMany = () => Promise.reject(failure);
    expect(await expectFailure(blobs)).toBe(failure);
    expect(blobs.calls.pieces).toBeLessThan(5);
  });

  async function first(source: Source): Promise<void> {
    if (!(Symbol.asyncIterator in source)) expect.fail("It is no asynchronous source");
    await source[Symbol.asyncIterator]().next();
  }
});

describe("ingestPath() and a blob service that does not keep to its contract", () => {
  it.each([
    ["takes nothing of a file", async () => blake3(new Uint8Array(0))],
    [
      "takes only a part of a file",
      async (source: Source) => {
        for await (const piece of source) return blake3(piece);
        expect.fail("There was no piece");
      },
    ],
  ])("refuses the digest of one that %s", async (_, put) => {
    const blobs = new ScriptedBlobs();
    blobs.onPut = (_call, source) => put(source);
    expect(CastoreError.is(await expectFailure(blobs), "STORAGE")).toBe(true);
  });

  it.each([
    ["few", (digests: B3Digest[]) => digests.slice(1)],
    ["many", (digests: B3Digest[]) => [...digests, ...digests]],
  ])("refuses too %s digests", async (_, change) => {
    const blobs = new ScriptedBlobs();
    blobs.onPutMany = async () => change([blake3(Buffer.from("first"))]);
    expect(CastoreError.is(await expectFailure(blobs), "STORAGE")).toBe(true);
  });
});

describe("ingestPath() and a directory service that fails", () => {
  type PutMultiple = (source: AsyncIterable<Directory>) => Promise<B3Digest>;

  it.each<[string, PutMultiple]>([
    ["at once", () => Promise.reject(failure)],
    [
      "by throwing",
      () => {
        throw failure;
      },
    ],
    [
      "at the first Directory, leaving the source open",
      async (source) => {
        await source[Symbol.asyncIterator]().next();
        throw failure;
      },
    ],
    [
      "at the first Directory, closing the source",
      async (source) => {
        for await (const _ of source) throw failure;
        expect.fail("There was no Directory");
      },
    ],
    [
      "at the end",
      async (source) => {
        for await (const _ of source);
        throw failure;
      },
    ],
  ])("rejects with an error that comes %s", async (_, putMultiple) => {
    const directories = new MemoryDirectoryService();
    const failing: DirectoryService = {
      get: (digest, options) => directories.get(digest, options),
      getRecursive: (digest, options) => directories.getRecursive(digest, options),
      put: (each, options) => directories.put(each, options),
      putMultiple: (source) => putMultiple(source as AsyncIterable<Directory>),
    };
    writeFileTree(scratch("tree"), TREE);
    const blobs = new MemoryBlobService();
    await expect(ingestPath({ blobs, directories: failing }, scratch("tree"))).rejects.toBe(
      failure,
    );
    expectNoThreads();
  });
});

describe("ingestPath() and a signal", () => {
  const reason = new Error("no more");

  it("rejects with its reason before it starts anything", async () => {
    const signal = AbortSignal.abort(reason);
    expect(await expectFailure(new ScriptedBlobs(), { signal })).toBe(reason);
  });

  it("rejects with a reason that is no error", async () => {
    const signal = AbortSignal.abort("why not");
    expect(await expectFailure(new ScriptedBlobs(), { signal })).toBe("why not");
  });

  it.each([1, 2, 3, 4, 5, 6])("rejects with its reason at progress report %i", async (at) => {
    const controller = new AbortController();
    let reports = 0;
    const onProgress = () => {
      if (++reports === at) controller.abort(reason);
    };
    const error = await expectFailure(new ScriptedBlobs(), {
      signal: controller.signal,
      onProgress,
    });
    expect(error).toBe(reason);
  });

  it.each(["put", "putMany"] as const)(
    "rejects with its reason while %s keeps it waiting",
    async (method) => {
      const controller = new AbortController();
      const wait = (options?: CallOptions) =>
        new Promise<never>((_, reject) => {
          options?.signal?.addEventListener("abort", () => reject(options.signal?.reason));
          setImmediate(() => controller.abort(reason));
        });
      const blobs = new ScriptedBlobs();
      if (method === "put") blobs.onPut = (_call, _source, options) => wait(options);
      else blobs.onPutMany = (_call, options) => wait(options);
      expect(await expectFailure(blobs, { signal: controller.signal })).toBe(reason);
    },
  );

  it("rejects with its reason while the thread has yet to start", async () => {
    const controller = new AbortController();
    process.once("worker", () => controller.abort(reason));
    const options = { signal: controller.signal };
    expect(await expectFailure(new ScriptedBlobs(), options)).toBe(reason);
  });

  it("leaves no listener behind", async () => {
    writeFileTree(scratch("tree"), TREE);
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners += 1;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners -= 1;
      removeEventListener.apply(signal, args);
    };
    const services = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
    await ingestPath(services, scratch("tree"), { signal });
    expect(listeners).toBe(0);
  });
});

describe("ingestPath() and callbacks that throw", () => {
  it.each([
    "beginDirectory",
    "entry",
    "beginFile",
    "fileBytes",
    "endFile",
    "symlink",
    "endDirectory",
  ] as const)("rejects with what %s of the observer throws", async (method) => {
    const observer: TreeObserver = new RecordingObserver();
    observer[method] = () => {
      throw failure;
    };
    expect(await expectFailure(new ScriptedBlobs(), { observer })).toBe(failure);
  });

  it.each([BATCH_BYTES, 1])(
    "rejects with what it throws at a piece of %i bytes",
    async (length) => {
      class FailingObserver extends RecordingObserver {
        override fileBytes(bytes: Uint8Array): void {
          if (bytes.byteLength === length) throw failure;
          super.fileBytes(bytes);
        }
      }
      const observer = new FailingObserver();
      expect(await expectFailure(new ScriptedBlobs(), { observer })).toBe(failure);
    },
  );

  it("rejects with what onProgress throws", async () => {
    const onProgress = () => {
      throw failure;
    };
    expect(await expectFailure(new ScriptedBlobs(), { onProgress })).toBe(failure);
  });
});
