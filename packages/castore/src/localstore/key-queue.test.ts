import { describe, expect, it } from "vitest";
import { KeyQueue } from "./key-queue.js";

describe("KeyQueue", () => {
  it("does work for one key in order, and for others at the same time", async () => {
    const queue = new KeyQueue();
    const log: string[] = [];
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = queue.run("a", async () => {
      log.push("first begins");
      await gate;
      log.push("first ends");
    });
    const second = queue.run("a", async () => log.push("second"));
    await queue.run("b", async () => log.push("other"));
    release();
    await Promise.all([first, second]);
    expect(log).toEqual(["first begins", "other", "first ends", "second"]);
  });

  it("goes on after work that failed, and gives back what work gives", async () => {
    const queue = new KeyQueue();
    const failing = queue.run("a", () => Promise.reject(new Error("no")));
    const next = queue.run("a", async () => 7);
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe(7);
  });

  it("lets nobody pass when a wait was ended", async () => {
    const queue = new KeyQueue();
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const log: string[] = [];
    const first = queue.run("a", async () => {
      await gate;
      log.push("first");
    });
    const reason = new Error("enough");
    const skipped = queue.run("a", async () => log.push("skipped"), AbortSignal.abort(reason));
    await expect(skipped).rejects.toBe(reason);
    const third = queue.run("a", async () => log.push("third"));
    release();
    await Promise.all([first, third]);
    expect(log).toEqual(["first", "third"]);
  });
});
