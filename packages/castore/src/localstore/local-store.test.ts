import fs from "node:fs";
import Database from "better-sqlite3";
import { afterEach, describe, expect, it } from "vitest";
import { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import { Directory } from "../nodes/directory.js";
import { ChildProgram } from "../testing/child-program.js";
import { expectSameBytes, readAll } from "../testing/expectations.js";
import { packFilesOf, readSample, writeSampleStore } from "../testing/sample-store.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { seededBytes } from "../testing/seeded-random.js";
import { collect, piecesOf, WatchedSource } from "../testing/sources.js";
import { LocalStore, type LocalStoreOptions } from "./local-store.js";
import { PACK_HEADER_LENGTH } from "./pack-format.js";
import { type LockHolder, WriterLock } from "./writer-lock.js";

const scratch = scratchDirectory();

const MIB = 1024 * 1024;
const A = seededBytes(1, 1000);
const B = seededBytes(2, 1000);

const opened: (LocalStore | ChildProgram)[] = [];
afterEach(async () => {
  const all = opened.splice(0).reverse();
  for (const one of all) await (one instanceof LocalStore ? one.close() : one.kill());
});

async function open(options: LocalStoreOptions = {}): Promise<LocalStore> {
  const store = await LocalStore.open(scratch("store"), options);
  opened.push(store);
  return store;
}

/** Another process that has the store open; it runs `lines`, then waits for the end of its input. */
function openElsewhere(lines: string): ChildProgram {
  const child = new ChildProgram(
    "localstore/local-store.js",
    `const store = await module.LocalStore.open(process.argv[1], { purpose: "the child" });
     const put = async (seed, size) => {
       const [digest] = await store.blobs.putMany([new Uint8Array(size).fill(seed)]);
       console.log("stored", seed, digest.toString());
     };
     ${lines}`,
    [scratch("store")],
  );
  opened.push(child);
  return child;
}

/** A promise that fulfils once `open` is called. */
function latch(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Descriptors of this process that refer to the store. */
function openFiles(): string[] {
  return fs.readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = fs.readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(scratch("store")) ? [target] : [];
    } catch {
      return [];
    }
  });
}

describe("several stores on one directory", () => {
  it("take turns to write, say for whom they wait, and read at once", async () => {
    const told: (LockHolder | undefined)[] = [];
    const first = await open({ purpose: "the first" });
    const waits = latch();
    const second = await open({
      purpose: "the second",
      onWait: (holder) => {
        told.push(holder);
        waits.open();
      },
    });
    const reader = await open({ readOnly: true });
    const a = await first.blobs.put([A]);
    expect(await reader.blobs.has(a)).toBe(true);
    expectSameBytes(await readAll(second.blobs, a), A);

    let isStored = false;
    const waiting = second.blobs.put([B]).then((digest) => {
      isStored = true;
      return digest;
    });
    await waits.opened;
    const c = await first.blobs.put([seededBytes(3, 300 * 1024)]);
    expect(await second.blobs.has(c)).toBe(true);
    expect(isStored).toBe(false);
    await first.close();
    const b = await waiting;
    expect(told).toMatchObject([{ pid: process.pid, purpose: "the first" }]);
    expectSameBytes(await readAll(reader.blobs, b), B);
    expect(await second.blobs.hasMany([a, b, c])).toEqual([true, true, true]);
  });

  it("can both be the first to write", async () => {
    const stores = await Promise.all([open(), open(), open()]);
    const digests = await Promise.all(
      stores.map(async (store, i) => {
        const digest = await store.blobs.put([seededBytes(i, 10)]);
        await store.close();
        return digest;
      }),
    );
    const reader = await open({ readOnly: true });
    expect(await reader.blobs.hasMany(digests)).toEqual([true, true, true]);
  });

  it("work in several processes, and what a killed one had acknowledged is there", async () => {
    const reader = await open({ readOnly: true });
    const digest = blake3(new Uint8Array(5000).fill(7));
    expect(await reader.blobs.has(digest)).toBe(false);
    const child = openElsewhere("await put(7, 5000); setInterval(() => {}, 1e6);");
    await child.says("stored 7");
    expectSameBytes(await readAll(reader.blobs, digest), new Uint8Array(5000).fill(7));

    const told: (LockHolder | undefined)[] = [];
    const store = await open({
      onWait: (holder) => {
        told.push(holder);
        child.process.kill("SIGKILL");
      },
    });
    const b = await store.blobs.put([B]);
    expect(told).toMatchObject([{ pid: child.process.pid, purpose: "the child" }]);
    expect(await reader.blobs.hasMany([b, digest])).toEqual([true, true]);
    expect(await collect(reader.check())).toEqual([]);
  });

  it("wait without a hold on what they were given: a signal ends the wait", async () => {
    const first = await open();
    const a = await first.blobs.put([A]);
    const waits = latch();
    const second = await open({ onWait: waits.open });
    const controller = new AbortController();
    const reason = new Error("the user pressed a key");
    const { signal } = controller;
    const source = new WatchedSource(piecesOf(seededBytes(4, 3 * MIB), 100_000));
    const writes = [
      second.blobs.put([B], { signal }),
      second.blobs.put(source, { signal }),
      second.blobs.putMany([B, seededBytes(5, MIB)], { signal }),
      second.directories.put(Directory.EMPTY, { signal }),
      second.pathInfoRecords.put(new Uint8Array(20), B, { signal }),
    ];
    const results = Promise.allSettled(writes);
    await waits.opened;
    controller.abort(reason);
    for (const result of await results) expect(result).toEqual({ status: "rejected", reason });
    expect(source.released).toBe(true);
    await first.close();
    const b = await second.blobs.put([B]);
    expect(await second.blobs.hasMany([a, b])).toEqual([true, true]);
  });

  it("end a wait by being closed", async () => {
    const first = await open();
    await first.blobs.put([A]);
    const waits = latch();
    const second = await open({ onWait: waits.open });
    const write = second.blobs.put([B]);
    const outcome = expect(write).rejects.toMatchObject({ code: "STORAGE" });
    await waits.opened;
    await second.close();
    await outcome;
    await first.blobs.put([B]);
  });
});

describe("a store that does not wait", () => {
  it("refuses writes while somebody else writes, forgets derived values, and reads", async () => {
    const holder = await open();
    const a = await holder.blobs.put([A]);
    const told: unknown[] = [];
    const store = await open({ wait: false, onWait: (who) => told.push(who) });
    const refusal = {
      code: "UNAVAILABLE",
      message: "Cannot write: another process writes to the store",
    };
    for (let i = 0; i < 2; i++) {
      await expect(store.blobs.put([B])).rejects.toMatchObject(refusal);
      await expect(store.holdForWriting()).rejects.toMatchObject(refusal);
    }
    const [key, derived] = [a.toBytes(), store.derived("space")];
    await derived.put(key, B);
    expect(await derived.get(key)).toBeUndefined();
    expectSameBytes(await readAll(store.blobs, a), A);
    expect(told).toEqual([]);
    await holder.close();
    const isTaken = () =>
      store.blobs.put([B]).then(
        () => true,
        () => false,
      );
    await expect.poll(isTaken, { timeout: 30_000 }).toBe(true);
    await derived.put(key, B);
    expect(await derived.get(key)).toEqual(B);
  });
});

describe("holdForWriting()", () => {
  it("keeps others from writing before anything was written, until the store is closed", async () => {
    const holder = await open({ purpose: "the holder" });
    await holder.holdForWriting();
    const told: (LockHolder | undefined)[] = [];
    const refusal = new AbortController();
    const other = await open({
      onWait: (who) => {
        told.push(who);
        refusal.abort(new Error("refused"));
      },
    });
    await expect(other.holdForWriting({ signal: refusal.signal })).rejects.toThrow("refused");
    expect(told).toMatchObject([{ purpose: "the holder" }]);
    await holder.close();
    await other.holdForWriting();
  });
});

describe("put()", () => {
  it("stores what comes 20 times at once one time", async () => {
    const store = await open();
    const bytes = seededBytes(6, 5000);
    const digests = await Promise.all(Array.from({ length: 20 }, () => store.blobs.put([bytes])));
    expect(new Set(digests.map(String)).size).toBe(1);
    expect(store.counters.added).toMatchObject({ records: 1, rawBytes: 5000 });
    expect(store.counters.known).toMatchObject({ records: 19, rawBytes: 95_000 });
    expect((await store.stats()).chunks).toBe(1);
    const packBytes = packFilesOf(scratch("store")).reduce(
      (n, file) => n + fs.statSync(file).size,
      0,
    );
    expect(packBytes).toBeLessThan(PACK_HEADER_LENGTH + 6000);
  });
});

describe("close()", () => {
  it("loses nothing of what has begun, and refuses what comes later", async () => {
    const store = await open();
    await store.blobs.put([A]);
    const blobs = Array.from({ length: 40 }, (_, i) => seededBytes(100 + i, 2000));
    const puts = blobs.map((bytes) => store.blobs.putMany([bytes]));
    const path = store.pathInfoRecords.put(new Uint8Array(20), A);
    const closing = store.close();
    const late = store.blobs.put([B]);
    await expect(late).rejects.toMatchObject({ code: "STORAGE", message: /the store is closed/ });
    await Promise.all([...puts, path, closing]);
    const again = await open({ readOnly: true });
    for (const bytes of blobs) expectSameBytes(await readAll(again.blobs, blake3(bytes)), bytes);
    expect(await again.pathInfoRecords.get(new Uint8Array(20))).toEqual(A);
    expect(await collect(again.check())).toEqual([]);
  });

  it("ends a large put with an error, and nothing of it is a blob", async () => {
    const store = await open();
    const bytes = seededBytes(7, 12 * MIB);
    const put = store.blobs.put(piecesOf(bytes, 500_000));
    const outcome = put.then(
      () => "stored",
      (error: unknown) => (CastoreError.is(error, "STORAGE") ? "refused" : error),
    );
    await store.blobs.put([A]);
    await store.close();
    const again = await open({ readOnly: true });
    const isStored = await again.blobs.has(blake3(bytes));
    expect(await outcome).toBe(isStored ? "stored" : "refused");
    expect(await collect(again.check())).toEqual([]);
  });

  it("can be called often, also at once, and each call waits for the end", async () => {
    const store = await open();
    await store.blobs.put([A]);
    await Promise.all([store.close(), store.close()]);
    await store.close();
    expect(openFiles()).toEqual([]);
    await (await open()).close();
  });

  it("frees all files, also of reads that nobody finished", async () => {
    const store = await open();
    const digest = await store.blobs.put([seededBytes(8, 3 * MIB)]);
    const reader = await store.blobs.openRead(digest);
    for await (const chunk of reader?.stream() ?? []) {
      expect(chunk.byteLength).toBeGreaterThan(0);
      break;
    }
    const check = store.check();
    for await (const _ of check) break;
    await store.close();
    expect(openFiles()).toEqual([]);
  });

  it("makes every call fail with an error that says so", async () => {
    const store = await open();
    const digest = await store.blobs.put([A]);
    const large = await store.blobs.put([seededBytes(9, MIB)]);
    const readers = [await store.blobs.openRead(digest), await store.blobs.openRead(large)];
    await store.close();
    const calls: (() => Promise<unknown>)[] = [
      () => store.blobs.has(digest),
      () => store.blobs.hasMany([digest]),
      () => store.blobs.openRead(digest),
      () => store.blobs.chunks(digest),
      () => store.blobs.put([B]),
      () => store.blobs.putMany([B]),
      () => store.directories.get(blake3(A)),
      () => store.directories.put(Directory.EMPTY),
      () => store.directories.putMultiple([Directory.EMPTY]),
      () => collect(store.directories.getRecursive(blake3(A))),
      () => store.pathInfoRecords.get(new Uint8Array(20)),
      () => store.pathInfoRecords.put(new Uint8Array(20), A),
      () => collect(store.pathInfoRecords.list()),
      () => store.derived("x").get(A),
      () => store.derived("x").put(A, B),
      () => store.stats(),
      () => collect(store.check()),
      ...readers.map((reader) => () => collect(reader?.stream() ?? collectNothing())),
    ];
    for (const call of calls) {
      await expect(call(), String(call)).rejects.toMatchObject({
        code: "STORAGE",
        message: /the store is closed$/,
      });
    }
  });
});

async function* collectNothing(): AsyncGenerator<never> {}

describe("a store that is opened read-only", () => {
  it("makes nothing where there is nothing", async () => {
    const store = await open({ readOnly: true });
    expect(await store.blobs.has(blake3(A))).toBe(false);
    expect(await store.blobs.openRead(blake3(A))).toBeUndefined();
    expect(await store.directories.get(blake3(A))).toBeUndefined();
    expect(await collect(store.pathInfoRecords.list())).toEqual([]);
    expect(await store.derived("x").get(A)).toBeUndefined();
    expect(await store.stats()).toMatchObject({ chunks: 0, packs: 0, diskBytes: 0 });
    expect(await collect(store.check())).toEqual([]);
    await expect(store.blobs.put([A])).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect(fs.existsSync(scratch("store"))).toBe(false);
  });

  it("makes and changes no file of one that is there", async () => {
    const sample = await writeSampleStore(scratch("store"));
    const list = () =>
      fs
        .readdirSync(scratch("store"), { recursive: true, encoding: "utf8" })
        .map((name) => [name, fs.statSync(scratch(`store/${name}`)).size] as const)
        .filter(([name]) => !name.endsWith("-shm"))
        .sort();
    const before = list();
    const store = await open({ readOnly: true });
    for (const { expected, result } of (await readSample(store, sample)).values()) {
      expectSameBytes(result instanceof Uint8Array ? result : new Uint8Array(0), expected);
    }
    await expect(store.blobs.put([B])).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await store.close();
    expect(list()).toEqual(before);
  });

  it.skipIf(process.getuid?.() !== 0)(
    "can be read by a user who may not write there (skipped unless run as root)",
    async () => {
      const store = await open();
      await store.blobs.put([new Uint8Array(10).fill(1)]);
      await store.close();
      // Something to put in order, which that user cannot do.
      for (const file of packFilesOf(scratch("store"))) fs.appendFileSync(file, "torn");
      fs.chmodSync(scratch(), 0o755);
      const child = new ChildProgram(
        "localstore/local-store.js",
        `const { B3Digest } = await import(process.argv[3]);
         process.setuid(65534);
         for (const options of [{ readOnly: true }, { readOnly: true, recover: true }, {}]) {
           const store = await module.LocalStore.open(process.argv[1], options);
           console.log("has", await store.blobs.has(B3Digest.parse(process.argv[2])));
           const write = store.blobs.put([new Uint8Array(3)]);
           console.log(await write.catch((error) => error.code));
           await store.close();
         }`,
        [
          scratch("store"),
          blake3(new Uint8Array(10).fill(1)).toString(),
          new URL("../../dist/digest.js", import.meta.url).href,
        ],
      );
      opened.push(child);
      await child.end();
      expect(child.output.split("\n").slice(0, -1)).toEqual([
        ...["has true", "UNSUPPORTED", "has true", "UNSUPPORTED"],
        ...["has true", "PERMISSION_DENIED"],
      ]);
    },
  );

  it("sees what is written later, and an index that is being made as an empty store", async () => {
    const reader = await open({ readOnly: true });
    fs.mkdirSync(scratch("store"));
    fs.writeFileSync(scratch("store/FORMAT"), "tvix-store 3\n");
    fs.writeFileSync(scratch("store/meta.sqlite"), "");
    expect(await reader.blobs.has(blake3(A))).toBe(false);
    const blank = new Database(scratch("store/meta.sqlite"));
    blank.pragma("journal_mode = WAL");
    expect(await reader.blobs.has(blake3(A))).toBe(false);
    blank.close();
    const writer = await open();
    await writer.blobs.put([A]);
    expectSameBytes(await readAll(reader.blobs, blake3(A)), A);
  });
});

describe("open() of a store whose index is gone", () => {
  async function loseIndex(): Promise<B3Digest> {
    const store = await open();
    const digest = await store.blobs.put([A]);
    await store.close();
    for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(scratch(`store/meta.sqlite${suffix}`));
    return digest;
  }

  it.each<LocalStoreOptions>([{}, { readOnly: true, recover: true }])(
    "makes it anew with the options %o",
    async (options) => {
      const digest = await loseIndex();
      const store = await open(options);
      expect(store.recovery?.events).toMatchObject([{ type: "tail-indexed", records: 1 }]);
      expectSameBytes(await readAll(store.blobs, digest), A);
    },
  );

  it("leaves it so when it may only read, or while another process writes", async () => {
    const digest = await loseIndex();
    expect(await (await open({ readOnly: true })).blobs.has(digest)).toBe(false);
    const lock = WriterLock.tryAcquire(scratch("store"), "somebody");
    const store = await open({ readOnly: true, recover: true });
    expect(store.recovery).toBeUndefined();
    expect(await store.blobs.has(digest)).toBe(false);
    lock?.release();
  });
});

describe("a process that does not close its store", () => {
  it.each([
    ["after a write", "await put(1, 10);"],
    ["after many writes", "await Promise.all([1, 2, 3, 4, 5, 6].map((i) => put(i, 300_000)));"],
    ["after nothing", ""],
  ])("ends by itself %s", async (_when, lines) => {
    const child = openElsewhere(`${lines} console.log("done");`);
    expect(await child.end()).toBe(0);
    expect(child.output).toContain("done");
    const store = await open({ readOnly: true });
    for (const [, text] of child.output.matchAll(/stored \d+ (\S+)/g)) {
      expect(await store.blobs.has(B3Digest.parse(text ?? ""))).toBe(true);
    }
    expect(await collect(store.check())).toEqual([]);
  });
});

describe("reading", () => {
  it("goes on while more packs are in use than are kept open", async () => {
    const store = await open({ packLimit: 50_000, compression: false });
    const blobs = Array.from({ length: 90 }, (_, i) => seededBytes(i, 50_000));
    const digests = await store.blobs.putMany(blobs);
    expect((await store.stats()).packs).toBeGreaterThan(80);
    for (let round = 0; round < 3; round++) {
      const read = await Promise.all(digests.map((digest) => readAll(store.blobs, digest)));
      read.forEach((bytes, i) => {
        expectSameBytes(bytes, blobs[i] as Uint8Array);
      });
    }
    expect(openFiles().length).toBeLessThan(80);
    await store.close();
    expect(openFiles()).toEqual([]);
  });

  it("names the chunk that a blob lacks, before and after bytes that are there", async () => {
    const store = await open();
    const bytes = seededBytes(10, 3 * MIB);
    const digest = await store.blobs.put([bytes]);
    const chunks = (await store.blobs.chunks(digest)) ?? [];
    expect(chunks.length).toBeGreaterThan(4);
    await store.close();
    const lost = chunks[2]?.digest ?? digest;
    const index = new Database(scratch("store/meta.sqlite"));
    index.prepare("delete from record where key = ?").run(lost.toBytes());
    index.close();

    const again = await open({ readOnly: true });
    const missing = { code: "MISSING_REFERENCE", message: expect.stringContaining(String(lost)) };
    const reader = await again.blobs.openRead(digest);
    const start = (chunks[0]?.size ?? 0) + (chunks[1]?.size ?? 0);
    const read = async (range: { offset: number; length?: number }) =>
      Buffer.concat(await collect(reader?.stream(range) ?? collectNothing()));
    expectSameBytes(await read({ offset: 0, length: start }), bytes.subarray(0, start));
    const end = start + (chunks[2]?.size ?? 0);
    expectSameBytes(await read({ offset: end }), bytes.subarray(end));
    await expect(read({ offset: 0 })).rejects.toMatchObject(missing);
    await expect(read({ offset: start, length: 1 })).rejects.toMatchObject(missing);
    const findings = await collect(again.check());
    expect(findings.map(({ type }) => type).sort()).toEqual(["pack", "reference"]);
  });

  it("sees what this store has written, also while a check of it goes on", async () => {
    const store = await open();
    await store.blobs.putMany(Array.from({ length: 50 }, (_, i) => seededBytes(i, 100)));
    const check = store.check({ onProgress: () => {} });
    const first = check.next();
    const b = await store.blobs.put([B]);
    expect(await store.blobs.has(b)).toBe(true);
    expect(await first).toEqual({ done: true, value: undefined });
  });

  it("gives plain arrays", async () => {
    const store = await open();
    const key = new Uint8Array(20).fill(3);
    await store.pathInfoRecords.put(key, new Uint8Array(500));
    await store.derived("space").put(A, B);
    const [record] = await collect(store.pathInfoRecords.list());
    const arrays = [
      record?.key,
      record?.value,
      await store.pathInfoRecords.get(key),
      await store.derived("space").get(A),
    ];
    for (const array of arrays) expect(Object.getPrototypeOf(array)).toBe(Uint8Array.prototype);
    expect(arrays).toEqual([key, new Uint8Array(500), new Uint8Array(500), B]);
  });
});

describe("an index that is damaged", () => {
  it("gives typed errors, is found by check(), and is made anew", async () => {
    const sample = await writeSampleStore(scratch("store"));
    const file = scratch("store/meta.sqlite");
    const bytes = fs.readFileSync(file);
    bytes.fill(0xff, 4096, bytes.byteLength);
    fs.writeFileSync(file, bytes);
    const damaged = await open({ readOnly: true });
    for (const { result } of (await readSample(damaged, sample)).values()) {
      expect(result === undefined || CastoreError.is(result, "CORRUPT")).toBe(true);
    }
    expect((await collect(damaged.check()))[0]).toMatchObject({ type: "index" });
    await damaged.close();

    const store = await open();
    for (const { expected, result } of (await readSample(store, sample)).values()) {
      expectSameBytes(result instanceof Uint8Array ? result : new Uint8Array(0), expected);
    }
    expect(store.recovery?.indexRebuilt).toBe(true);
    expect(await collect(store.check())).toEqual([]);
  });
});
