import fs from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { SeededRandom, seededBytes } from "../testing/seeded-random.js";
import { packFileName } from "./pack-files.js";
import { PackReader } from "./pack-reader.js";

const scratch = scratchDirectory();
const SIZE = 1_500_000;
const PACKS = [1, 2].map((id) => seededBytes(id, SIZE)) as [Uint8Array, Uint8Array];

function writePacks(): void {
  PACKS.forEach((bytes, i) => {
    fs.writeFileSync(scratch(packFileName(i + 1)), bytes);
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("PackReader", () => {
  it("reads what is there, near and far, short and long, behind the end too", async () => {
    writePacks();
    const reader = new PackReader(scratch());
    const random = new SeededRandom(1);
    let at = 0;
    for (let i = 0; i < 3000; i++) {
      const pack = random.below(10) === 0 ? 1 : 0;
      at = random.below(4) === 0 ? random.below(SIZE) : (at + random.below(3000)) % SIZE;
      const length = 1 + random.below(random.below(20) === 0 ? 400_000 : 5000);
      const { bytes } = await reader.read(pack + 1, at, length);
      const expected = PACKS[pack]?.subarray(at, at + length) ?? new Uint8Array(0);
      expect(Buffer.compare(bytes, expected), `${length} bytes at ${at}`).toBe(0);
    }
    reader.close();
  });

  it("reads neighbours with one call, and a stranger alone", async () => {
    writePacks();
    const calls = vi.spyOn(fs, "readSync");
    const reader = new PackReader(scratch());
    await reader.read(1, 900_000, 100);
    expect(calls).toHaveBeenCalledTimes(1);
    expect(calls.mock.calls[0]?.[1].byteLength).toBe(100);
    for (let at = 0; at < SIZE; at += 1000) await reader.read(1, at, 1000);
    expect(calls.mock.calls.length).toBeLessThan(10);
    reader.close();
  });

  it("sees what a pack has grown by", async () => {
    const file = scratch(packFileName(1));
    fs.writeFileSync(file, PACKS[0].subarray(0, 1000));
    const reader = new PackReader(scratch());
    for (const at of [0, 100, 200]) await reader.read(1, at, 100);
    fs.writeFileSync(file, PACKS[0]);
    const { bytes } = await reader.read(1, 900, 1000);
    expect(Buffer.compare(bytes, PACKS[0].subarray(900, 1900))).toBe(0);
    reader.close();
  });

  it("says when bytes may be those of an earlier state, and reads anew on demand", async () => {
    writePacks();
    const reader = new PackReader(scratch());
    for (const at of [0, 100]) await reader.read(1, at, 100);
    fs.writeFileSync(scratch(packFileName(1)), PACKS[1]);
    const { bytes, isFromMemory } = await reader.read(1, 200, 100);
    expect(isFromMemory).toBe(true);
    expect(Buffer.compare(bytes, PACKS[0].subarray(200, 300))).toBe(0);
    const fresh = reader.readNow(1, 200, 100);
    expect(Buffer.compare(fresh, PACKS[1].subarray(200, 300))).toBe(0);
    reader.close();
  });

  it("keeps few packs open, and closes all in the end", async () => {
    const open = () => fs.readdirSync("/proc/self/fd").length;
    for (let id = 1; id <= 100; id++) fs.writeFileSync(scratch(packFileName(id)), PACKS[0]);
    const before = open();
    const reader = new PackReader(scratch());
    for (let id = 1; id <= 100; id++) await reader.read(id, 0, 100);
    expect(open() - before).toBeLessThanOrEqual(64);
    const late = reader.read(1, 0, SIZE);
    reader.close();
    expect((await late).bytes.byteLength).toBe(SIZE);
    expect(open()).toBe(before);
  });
});
