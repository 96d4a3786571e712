import { afterEach, describe, expect, it, vi } from "vitest";
import { CastoreError } from "../errors.js";
import { directory, file, patternBytes, writeFileTree } from "../testing/file-trees.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { type LentBatch, readInThread } from "./read-in-thread.js";
import { BATCH_BYTES } from "./tree-reader.js";

/** The program to run as the thread, in place of the real one. */
const program = vi.hoisted(() => ({ url: undefined as URL | undefined }));

vi.mock(import("../threads/worker-url.js"), async (importOriginal) => {
  const { workerUrl } = await importOriginal();
  return { workerUrl: (name, base) => program.url ?? workerUrl(name, base) };
});

afterEach(() => {
  program.url = undefined;
});

const scratch = scratchDirectory();

async function take(batches: AsyncGenerator<LentBatch, void, undefined>): Promise<LentBatch> {
  const next = await batches.next();
  if (next.done === true) expect.fail("There was no batch");
  return next.value;
}

/** Numbers blocks of memory by a mark that it leaves in a part that holds no content. */
class MemoryCounter {
  count = 0;

  add({ batch }: LentBatch): void {
    expect(batch.length).toBeLessThan(BATCH_BYTES);
    if (batch.memory[BATCH_BYTES - 1] !== 0) return;
    batch.memory[BATCH_BYTES - 1] = 1;
    this.count += 1;
  }
}

/** Reads by the real thread; each large file makes a batch for itself and one for what follows. */
function writeManyBatches(count: number): void {
  const content = patternBytes(BATCH_BYTES / 2);
  const names = Array.from({ length: count }, (_, i) => `f${i}`);
  writeFileTree(
    scratch("tree"),
    directory(Object.fromEntries(names.map((n) => [n, file(content)]))),
  );
}

describe("readInThread()", () => {
  it("uses memory again that came back", async () => {
    writeManyBatches(20);
    const memories = new MemoryCounter();
    let batches = 0;
    for await (const lent of readInThread(scratch("tree"), undefined)) {
      memories.add(lent);
      lent.release();
      batches += 1;
    }
    expect(batches).toBe(41);
    expect(memories.count).toBeLessThan(10);
  });

  it("reads no further than its memory goes when none comes back", async () => {
    writeManyBatches(20);
    const memories = new MemoryCounter();
    const batches = readInThread(scratch("tree"), undefined);
    const held = [await take(batches)];
    let next = batches.next();
    // A thread that had more would send it: it reads from the cache of the system.
    for (let lent = await soon(next); lent !== undefined; lent = await soon(next)) {
      memories.add(lent);
      held.push(lent);
      next = batches.next();
    }
    expect(held.length * BATCH_BYTES).toBeLessThan(32 * 1024 * 1024);
    expect(memories.count).toBe(held.length - 1);
    for (const { release } of held) release();
    expect((await next).done).toBe(false);
    await batches.return();
  });

  it("takes memory back when it has ended, to no effect", async () => {
    writeManyBatches(2);
    const batches = readInThread(scratch("tree"), undefined);
    const lent = await take(batches);
    await batches.return();
    lent.release();
    expect((await batches.next()).done).toBe(true);
  });

  it("keeps the cause of an error", async () => {
    await expect(readInThread(scratch("missing"), undefined).next()).rejects.toMatchObject({
      reason: "not-found",
      cause: expect.objectContaining({ message: expect.stringContaining("ENOENT") }),
    });
  });

  it("hands an error of the thread's own on as one of the store", async () => {
    // What is no path at all is a mistake in the program, not in the tree.
    const error: unknown = await readInThread(null as never, undefined)
      .next()
      .catch((reason: unknown) => reason);
    expect(CastoreError.is(error, "STORAGE")).toBe(true);
    expect(error).toHaveProperty("cause");
  });

  it.each([
    ["ends without a word", "process.exit(0)"],
    ["ends with a status", "process.exit(3)"],
    ["stops", ""],
  ])("rejects when the thread %s", async (_, code) => {
    program.url = new URL(`data:text/javascript,${code}`);
    const error: unknown = await readInThread("/", undefined)
      .next()
      .catch((reason: unknown) => reason);
    expect(CastoreError.is(error, "STORAGE")).toBe(true);
  });

  it.each([
    ["throws", "throw new Error('broken')", "broken"],
    ["throws later", "setImmediate(() => { throw new Error('broken') })", "broken"],
  ])("rejects when the thread %s", async (_, code, message) => {
    program.url = new URL(`data:text/javascript,${code}`);
    await expect(readInThread("/", undefined).next()).rejects.toThrow(message);
  });

  it("rejects when there is no program for the thread", async () => {
    program.url = new URL("file:///nowhere/reader-thread.js");
    await expect(readInThread("/", undefined).next()).rejects.toThrow("nowhere");
  });

  it("gives all batches before an error that came after them", async () => {
    program.url = new URL(
      `data:text/javascript,import { parentPort } from "node:worker_threads";
       parentPort.postMessage({ type: "batch", batch: { length: 1 } });
       parentPort.postMessage({ type: "batch", batch: { length: 2 } });
       process.exit(1);`,
    );
    const batches = readInThread("/", undefined);
    expect((await take(batches)).batch.length).toBe(1);
    expect((await take(batches)).batch.length).toBe(2);
    await expect(batches.next()).rejects.toThrow(CastoreError);
  });
});

/** What comes within many turns of the event loop. */
async function soon(
  next: Promise<IteratorResult<LentBatch, void>>,
): Promise<LentBatch | undefined> {
  let lent: LentBatch | undefined;
  void next.then(({ value }) => {
    lent = value ?? undefined;
  });
  for (let i = 0; i < 5000 && lent === undefined; i++)
    await new Promise((resolve) => setImmediate(resolve));
  return lent;
}
