import fs from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { CastoreError } from "../errors.js";
import { ChildProgram } from "../testing/child-program.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { type LockHolder, readHolder, WriterLock } from "./writer-lock.js";

const scratch = scratchDirectory();

const children: ChildProgram[] = [];
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
});

/** Another process that takes the lock and holds it until its input ends. */
async function holdElsewhere(purpose: string): Promise<ChildProgram> {
  const child = new ChildProgram(
    "localstore/writer-lock.js",
    `const [directory, purpose] = process.argv.slice(1);
     const lock = await module.WriterLock.acquire(directory, purpose, () => console.log("waits"));
     console.log("holds");
     process.stdin.on("end", () => { lock.release(); process.exit(0); }).resume();`,
    [scratch(), purpose],
  );
  children.push(child);
  await child.says("holds");
  return child;
}

describe("WriterLock", () => {
  it("is held by one at a time, in one process", async () => {
    const first = WriterLock.tryAcquire(scratch(), "first");
    expect(first).toBeDefined();
    expect(WriterLock.tryAcquire(scratch(), "second")).toBeUndefined();
    expect(readHolder(scratch())).toMatchObject({ pid: process.pid, purpose: "first" });
    first?.release();
    expect(readHolder(scratch())).toBeUndefined();
    const second = WriterLock.tryAcquire(scratch(), "second");
    expect(readHolder(scratch())?.purpose).toBe("second");
    second?.release();
    second?.release();
  });

  it("is waited for, and whoever waits is told once for whom", async () => {
    const child = await holdElsewhere("import of /home");
    const told: (LockHolder | undefined)[] = [];
    const waiting = WriterLock.acquire(scratch(), "us", (holder) => {
      told.push(holder);
      child.process.stdin?.end();
    });
    const lock = await waiting;
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ pid: child.process.pid, purpose: "import of /home" });
    expect(Date.now() - (told[0]?.since.getTime() ?? 0)).toBeLessThan(60_000);
    expect(await child.end()).toBe(0);
    lock.release();
  });

  it("is ours when another process waits, which is told so", async () => {
    const lock = WriterLock.tryAcquire(scratch(), "us");
    const child = new ChildProgram(
      "localstore/writer-lock.js",
      `const lock = await module.WriterLock.acquire(process.argv[1], "child", (holder) =>
         console.log("waits for", holder.pid, holder.purpose));
       console.log("holds");
       lock.release();`,
      [scratch()],
    );
    children.push(child);
    await child.says(`waits for ${process.pid} us`);
    expect(child.output).not.toContain("holds");
    lock?.release();
    expect(await child.end()).toBe(0);
    expect(child.output).toContain("holds");
  });

  it("ends with its process, however that ends", async () => {
    const child = await holdElsewhere("doomed");
    expect(WriterLock.tryAcquire(scratch(), "us")).toBeUndefined();
    await child.kill();
    expect(fs.existsSync(scratch("lock.json"))).toBe(true);
    expect(readHolder(scratch())).toBeUndefined();
    const lock = WriterLock.tryAcquire(scratch(), "us");
    expect(lock).toBeDefined();
    lock?.release();
  });

  it("can be had where nobody can be told of it", () => {
    fs.mkdirSync(scratch("lock.json/x"), { recursive: true });
    const lock = WriterLock.tryAcquire(scratch(), "us");
    expect(lock).toBeDefined();
    expect(WriterLock.tryAcquire(scratch(), "them")).toBeUndefined();
    expect(() => lock?.release()).toThrow();
    const next = WriterLock.tryAcquire(scratch(), "them");
    expect(next).toBeDefined();
    fs.rmSync(scratch("lock.json"), { recursive: true });
    next?.release();
  });

  it("fails with an error of ours where its file cannot be made", () => {
    let error: unknown;
    try {
      WriterLock.tryAcquire(scratch("nowhere"), "us");
    } catch (thrown) {
      error = thrown;
    }
    expect(CastoreError.is(error)).toBe(true);
    expect(String(error)).toContain("Cannot lock the store");
  });
});

describe("readHolder()", () => {
  it.each(["", "{", "null", "[]", '{"pid":"1"}', `{"pid":${process.pid},"purpose":5,"since":""}`])(
    "knows nobody from %o",
    (text) => {
      fs.writeFileSync(scratch("lock.json"), text);
      expect(readHolder(scratch())).toBeUndefined();
    },
  );
});
