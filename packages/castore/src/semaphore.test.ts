import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { Semaphore } from "./semaphore.js";

/** Enters one after the other, and notes who got in. */
function queue(semaphore: Semaphore) {
  const inside: string[] = [];
  const releases = new Map<string, () => void>();
  const enter = async (name: string, weight?: number, signal?: AbortSignal): Promise<void> => {
    const release = await semaphore.acquire(signal, weight);
    inside.push(name);
    releases.set(name, release);
  };
  return { inside, enter, leave: (name: string) => releases.get(name)?.() };
}

/** Lets promises that can settle do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("Semaphore", () => {
  it("lets in so many at a time, in the order in which they came", async () => {
    const { inside, enter, leave } = queue(new Semaphore(2));
    const all = ["a", "b", "c", "d"].map((name) => enter(name));
    await settle();
    expect(inside).toEqual(["a", "b"]);
    leave("b");
    leave("b");
    await settle();
    expect(inside).toEqual(["a", "b", "c"]);
    leave("a");
    await Promise.all(all);
    expect(inside).toEqual(["a", "b", "c", "d"]);
  });

  it("lets nobody overtake who would fit", async () => {
    const { inside, enter, leave } = queue(new Semaphore(10));
    void enter("six", 6);
    void enter("five", 5);
    void enter("one", 1);
    await settle();
    expect(inside).toEqual(["six"]);
    leave("six");
    await settle();
    expect(inside).toEqual(["six", "five", "one"]);
  });

  it("gives all to who wants more than there is", async () => {
    const { inside, enter, leave } = queue(new Semaphore(10));
    void enter("huge", 1000);
    void enter("one", 1);
    await settle();
    expect(inside).toEqual(["huge"]);
    leave("huge");
    await settle();
    expect(inside).toEqual(["huge", "one"]);
  });

  it("lets those behind in when the one before them gives up", async () => {
    const { inside, enter } = queue(new Semaphore(10));
    const controller = new AbortController();
    void enter("six", 6);
    const five = enter("five", 5, controller.signal);
    void enter("four", 4);
    await settle();
    controller.abort("no time");
    await expect(five).rejects.toBe("no time");
    await settle();
    expect(inside).toEqual(["six", "four"]);
  });

  it("listens to no signal any longer than it waits", async () => {
    const semaphore = new Semaphore(1);
    const { signal } = new AbortController();
    const release = await semaphore.acquire(signal);
    const second = semaphore.acquire(signal);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    release();
    (await second)();
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await expect(semaphore.acquire(AbortSignal.abort("late"))).rejects.toBe("late");
  });

  it("run() gives its place back, also after a failure", async () => {
    const semaphore = new Semaphore(1);
    const failure = new Error("no");
    await expect(semaphore.run(() => Promise.reject(failure))).rejects.toBe(failure);
    expect(await semaphore.run(() => Promise.resolve(1))).toBe(1);
  });
});
