import { describe, expect, it } from "vitest";
import { SpareBuffers } from "./spare-buffers.js";

describe("SpareBuffers", () => {
  it("gives out memory again, at any length that it has", () => {
    const buffers = new SpareBuffers();
    const first = buffers.take(100);
    buffers.give(first);
    const shorter = buffers.take(60);
    expect([shorter.byteLength, shorter.buffer === first.buffer]).toEqual([60, true]);
    buffers.give(shorter);
    expect(buffers.take(100).buffer).toBe(first.buffer);
  });

  it("never gives out what is in use, or too short", () => {
    const buffers = new SpareBuffers();
    const first = buffers.take(10);
    expect(buffers.take(10).buffer).not.toBe(first.buffer);
    buffers.give(first);
    const longer = buffers.take(11);
    expect([longer.byteLength, longer.buffer === first.buffer]).toEqual([11, false]);
  });
});
