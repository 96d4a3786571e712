import { describe, expect, it } from "vitest";
import { Turns } from "./turns.js";

/** Much longer than a turn. */
const WORK_MS = 500;

describe("Turns", () => {
  it("lets others run though the work never waits", async () => {
    const turns = new Turns();
    const began = performance.now();
    let others = false;
    setImmediate(() => {
      others = true;
    });
    while (!others && performance.now() - began < WORK_MS) await turns.next();
    expect(others).toBe(true);
  });

  it("does not end a turn that has just begun", async () => {
    let others = false;
    setImmediate(() => {
      others = true;
    });
    await new Turns().next();
    expect(others).toBe(false);
  });
});
