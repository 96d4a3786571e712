import { afterEach, describe, expect, it } from "vitest";
import { blake3 } from "../hasher/blake3.js";
import { fileNode } from "../nodes/node.js";
import { directoryOf, nodeOf } from "../testing/directory-builders.js";
import { expectSameBytes, readAll } from "../testing/expectations.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { seededBytes } from "../testing/seeded-random.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { LocalStore } from "./local-store.js";
import { Stage } from "./stage.js";

const scratch = scratchDirectory();
const MIB = 1024 * 1024;

let store: LocalStore | undefined;
afterEach(async () => {
  await store?.close();
  store = undefined;
});

async function reopen(): Promise<LocalStore> {
  await store?.close();
  store = await LocalStore.open(scratch("store"));
  return store;
}

/** A promise that is settled from outside. */
function deferred(): {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
} {
  let resolve = (): void => {};
  let reject = (_: unknown): void => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** Whether a promise has settled once everything that was ready to run has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  const turn = new Promise((resolve) => setImmediate(() => resolve(pending)));
  return (await Promise.race([promise.then(() => true), turn])) !== pending;
}

describe("LocalStore.stage()", () => {
  it.each([
    ["nothing", 0],
    ["little, which is encoded at once", 1000],
    ["what a thread encodes", 100_000],
    ["what is cut where it lies", MIB],
    ["what is cut as it comes", 5 * MIB],
  ])("stores blobs of %s, and finds them when it is opened again", async (_, length) => {
    const blobs = [seededBytes(1, length), seededBytes(2, length + 1)];
    const stage = (await reopen()).stage();
    const put = await stage.blobs.put(blobs.slice(0, 1));
    const [many] = await stage.blobs.putMany(blobs.slice(1));
    await stage.durable();
    expect([put, many]).toEqual(blobs.map((blob) => blake3(blob)));
    const { blobs: stored } = await reopen();
    for (const blob of blobs) expectSameBytes(await readAll(stored, blake3(blob)), blob);
  });

  it("stores a closure whose blobs came before it", async () => {
    const content = seededBytes(3, 5000);
    const stage = (await reopen()).stage();
    const [digest] = await stage.blobs.putMany([content, content]);
    const leaf = directoryOf({ file: fileNode(blake3(content), 5000n) });
    const root = directoryOf({ a: nodeOf(leaf), b: nodeOf(leaf) });
    const rootDigest = await stage.directories.putMultiple([leaf, root]);
    await stage.durable();
    expect(digest).toEqual(blake3(content));
    expect(rootDigest).toEqual(directoryDigest(root));
    const { directories } = await reopen();
    expect(await directories.get(rootDigest)).toEqual(root);
    expect(await directories.get(directoryDigest(leaf))).toEqual(leaf);
  });

  it("counts what was new and what was there", async () => {
    const content = seededBytes(4, 3000);
    const opened = await reopen();
    for (let i = 0; i < 2; i++) {
      const stage = opened.stage();
      await stage.blobs.putMany([content]);
      await stage.durable();
    }
    const { added, known } = opened.counters;
    expect([added.records, known.records]).toEqual([1, 1]);
  });

  it("makes what is stored later durable no sooner", async () => {
    const content = seededBytes(5, 3 * MIB);
    const opened = await reopen();
    const stage = opened.stage();
    await stage.blobs.putMany([content.subarray(0, 1000), content.subarray(0, 200_000), content]);
    await opened.named("space").put("name", Uint8Array.of(1));
    // Without waiting for the stage: another process sees what is durable.
    await using other = await LocalStore.open(scratch("store"), { readOnly: true });
    for (const length of [1000, 200_000, content.byteLength]) {
      expect(await other.blobs.has(blake3(content.subarray(0, length)))).toBe(true);
    }
    await stage.durable();
  });

  it("refuses a store that is closed", async () => {
    const opened = await reopen();
    const stage = opened.stage();
    await opened.close();
    await expect(stage.blobs.putMany([Uint8Array.of(1)])).rejects.toThrow("the store is closed");
  });
});

describe("Stage", () => {
  it("does not wait for what is written, and durable() does", async () => {
    const stage = new Stage({ bytes: 0 });
    const [first, second] = [deferred(), deferred()];
    await stage.acknowledge(first.promise, 10);
    await stage.acknowledge(second.promise, 10);
    const durable = stage.durable();
    first.resolve();
    expect(await isSettled(durable)).toBe(false);
    second.resolve();
    await durable;
  });

  it("waits while too much is under way", async () => {
    const stage = new Stage({ bytes: 0 });
    const [first, second] = [deferred(), deferred()];
    await stage.acknowledge(first.promise, 16 * MIB);
    const taken = stage.acknowledge(second.promise, 1);
    expect(await isSettled(taken)).toBe(false);
    first.resolve();
    await taken;
    second.resolve();
    await stage.durable();
  });

  it("waits with little when all stages together have much, and for its own writes only", async () => {
    const all = { bytes: 0 };
    const [one, many] = [new Stage(all), new Stage(all)];
    const [first, second] = [deferred(), deferred()];
    all.bytes = 64 * MIB;
    await one.acknowledge(first.promise, 256 * 1024);
    const taken = one.acknowledge(second.promise, 1);
    expect(await isSettled(taken)).toBe(false);
    await many.acknowledge(deferred().promise, 1000);
    first.resolve();
    await taken;
    second.resolve();
    await one.durable();
    expect(all.bytes).toBe(64 * MIB + 1000);
  });

  it("reports the first failure, to durable() and to whoever comes later", async () => {
    const stage = new Stage({ bytes: 0 });
    const [first, second] = [deferred(), deferred()];
    await stage.acknowledge(first.promise, 1);
    await stage.acknowledge(second.promise, 1);
    first.reject(new Error("the disk is full"));
    second.reject(new Error("nothing is written any more"));
    await expect(stage.durable()).rejects.toThrow("the disk is full");
    await expect(stage.acknowledge(Promise.resolve(), 1)).rejects.toThrow("the disk is full");
  });
});
