import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { B3Digest } from "../digest.js";
import { expectSameBytes } from "../testing/expectations.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { seededBytes } from "../testing/seeded-random.js";
import type { WantedContent } from "./chunk-filler.js";
import { DecoderPool } from "./decoder-pool.js";
import { LocalStore } from "./local-store.js";

/** What threads that decode run instead, and how many were started. */
const threads = vi.hoisted(() => ({ url: undefined as URL | undefined, begun: 0 }));

vi.mock(import("../threads/worker-url.js"), async (importOriginal) => {
  const { workerUrl } = await importOriginal();
  return {
    workerUrl: (name, base) => {
      if (name !== "decoder-thread") return workerUrl(name, base);
      threads.begun++;
      return threads.url ?? workerUrl(name, base);
    },
  };
});

const scratch = scratchDirectory();

afterEach(() => {
  threads.url = undefined;
  threads.begun = 0;
});

/** `new Worker` throws, as it does when the system has no thread to give. */
const REFUSED = new URL("http://localhost/");

/** A program for a thread that ends as soon as it has something to do. */
const DYING = new URL(
  `data:text/javascript,${encodeURIComponent(
    'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => process.exit(3));',
  )}`,
);
const THROWING = new URL("data:text/javascript,throw new Error('no memory')");

const WANTED: WantedContent = {
  keys: new Uint8Array(32),
  places: new Float64Array([0, 1]),
  memory: new SharedArrayBuffer(1),
  maxStored: 1,
};

/** A program that answers, and then writes into the memory that it is to fill. */
const ANSWERING = new URL(
  `data:text/javascript,${encodeURIComponent(
    'import { parentPort } from "node:worker_threads"; parentPort.on("message", ({ memory }) => { parentPort.postMessage({ type: "filled", missed: [] }); Atomics.store(new Int32Array(memory), 0, 1); Atomics.notify(new Int32Array(memory), 0); });',
  )}`,
);

/** Enough for threads to be started. */
const BLOBS = Array.from({ length: 3000 }, (_, i) => seededBytes(i, 2000));

async function readAll(store: LocalStore, digests: readonly B3Digest[]): Promise<void> {
  const parts: Promise<unknown>[] = [];
  for (let i = 0; i < digests.length; i += 200) {
    const part = digests.slice(i, i + 200);
    const expected = BLOBS.slice(i, i + 200);
    const opened = store.blobs.openMany?.(part, { inlineBytes: 4096 });
    parts.push(
      Promise.resolve(opened).then((blobs) => {
        for (const [k, blob] of (blobs ?? []).entries()) {
          if (!(blob instanceof Uint8Array)) throw new Error("There is no blob");
          expectSameBytes(blob, expected[k] as Uint8Array);
        }
        expect(blobs).toHaveLength(part.length);
      }),
    );
  }
  await Promise.all(parts);
}

describe("reading many blobs", () => {
  it.each([
    ["can be started", undefined],
    ["cannot be made", REFUSED],
    ["fail at once", THROWING],
    ["end at work", DYING],
  ])("succeeds where threads %s", async (_, url) => {
    await using store = await LocalStore.open(scratch("store"));
    const digests = await store.blobs.putMany(BLOBS);
    threads.url = url;
    for (let round = 0; round < 2; round++) await readAll(store, digests);
    expect(threads.begun).toBeGreaterThan(0);
    // One that failed is enough: there is no point in trying for each read.
    if (url === REFUSED) expect(threads.begun).toBe(1);
  });
});

describe("DecoderPool", () => {
  it("tells what reading here fails of", async () => {
    threads.url = REFUSED;
    const failure = new Error("damaged");
    const pool = new DecoderPool(
      { indexFile: "/nowhere", packs: "/nowhere" },
      {
        maxThreads: 2,
        fillHere: () => {
          throw failure;
        },
      },
    );
    await expect(pool.fill(WANTED)).rejects.toBe(failure);
    await pool.close();
  });

  it("lets others run between what is read here", async () => {
    threads.url = REFUSED;
    const order: string[] = [];
    const pool = new DecoderPool(
      { indexFile: "/nowhere", packs: "/nowhere" },
      {
        maxThreads: 2,
        fillHere: () => {
          order.push("read");
          setImmediate(() => order.push("other"));
          return [];
        },
      },
    );
    await Promise.all([pool.fill(WANTED), pool.fill(WANTED)]);
    await pool.close();
    expect(order.slice(0, 3)).toEqual(["read", "other", "read"]);
  });

  it("keeps the process alive until its threads have ended, when it is closed", async () => {
    threads.url = ANSWERING;
    const pool = new DecoderPool(
      { indexFile: "/nowhere", packs: "/nowhere" },
      { maxThreads: 1, fillHere: () => [] },
    );
    // A thread needs this one to begin.
    await pool.fill({ ...WANTED, memory: new SharedArrayBuffer(4) });
    const memory = new SharedArrayBuffer(4);
    const filled = pool.fill({ ...WANTED, memory }).catch(() => {});
    // The answer is there, and waits for this thread to have time.
    Atomics.wait(new Int32Array(memory), 0, 0, 30_000);
    const unref = vi.spyOn(Worker.prototype, "unref");
    onTestFinished(() => unref.mockRestore());
    await Promise.all([pool.close(), filled]);
    expect(unref).not.toHaveBeenCalled();
  });

  it("rejects what is under way when it is closed", async () => {
    const pool = new DecoderPool(
      { indexFile: "/nowhere", packs: "/nowhere" },
      { maxThreads: 1, fillHere: () => [] },
    );
    threads.url = new URL("data:text/javascript,setInterval(() => {}, 1e9)");
    const reading = pool.fill(WANTED).catch((error: unknown) => error);
    await pool.close();
    expect(await reading).toMatchObject({ code: "STORAGE" });
    await expect(pool.fill(WANTED)).rejects.toMatchObject({ code: "STORAGE" });
  });
});
