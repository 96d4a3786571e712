import { existsSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MEMORY_FOLDER } from "./scratch.js";
import { warmMemory } from "./warm-memory.js";

const MIB = 1024 * 1024;

describe("warmMemory()", () => {
  it.skipIf(!existsSync(MEMORY_FOLDER))("leaves nothing behind (needs /dev/shm)", () => {
    expect(warmMemory(10 * MIB)).toBe(8 * MIB);
    const left = readdirSync(MEMORY_FOLDER).filter((name) => name.includes(`-${process.pid}`));
    expect(left).toEqual([]);
  });
});
