import fs from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { equalBytes } from "../bytes.js";
import { CastoreError } from "../errors.js";
import {
  flipBit,
  packFilesOf,
  type ReadResult,
  readSample,
  type Sample,
  writeSampleStore,
} from "../testing/sample-store.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { SeededRandom } from "../testing/seeded-random.js";
import { collect } from "../testing/sources.js";
import { LocalStore } from "./local-store.js";
import { PACK_HEADER_LENGTH } from "./pack-format.js";

const scratch = scratchDirectory();

const FLIPS = 60;

/** Bits to flip one after the other: some anywhere, some in the header and first records of a pack. */
function* places(files: readonly string[], seed: number): Generator<{ file: string; bit: number }> {
  const random = new SeededRandom(seed);
  for (let i = 0; i < FLIPS; i++) {
    const file = random.pick(files);
    const end = i % 3 === 0 ? PACK_HEADER_LENGTH + 300 : fs.statSync(file).size;
    const start = i % 3 === 0 ? PACK_HEADER_LENGTH - 100 : 0;
    yield { file, bit: 8 * start + random.below(8 * (end - start)) };
  }
}

function isRight(expected: Uint8Array, result: ReadResult): boolean {
  return result instanceof Uint8Array && equalBytes(result, expected);
}

/** Everything reads right or fails with an error that says what and where; how many fail. */
async function countDamaged(store: LocalStore, sample: Sample, file: string): Promise<number> {
  let damaged = 0;
  for (const [name, { expected, result }] of await readSample(store, sample)) {
    if (isRight(expected, result)) continue;
    damaged++;
    if (!CastoreError.is(result, "CORRUPT")) expect.fail(`${name} gave ${result}`);
    expect(result.message).toContain(path.basename(file));
    expect(result.message).toMatch(/b3:[\w+/]{43}=|path info [0-9a-f]{40}/);
  }
  return damaged;
}

describe.each([
  ["compressed", true],
  ["raw", false],
] as const)("a store (%s) with a flipped bit", (_name, compression) => {
  it("gives no wrong byte, says where, serves the rest, and check() finds it", async () => {
    const sample = await writeSampleStore(scratch(), { compression });
    const files = packFilesOf(scratch());
    expect(files.length).toBeGreaterThan(compression ? 2 : 4);
    let affected = 0;
    for (const { file, bit } of places(files, compression ? 1 : 2)) {
      flipBit(file, bit);
      await using store = await LocalStore.open(scratch(), { readOnly: true });
      const damaged = await countDamaged(store, sample, file);
      const findings = await collect(store.check());
      const where = `bit ${bit} of ${path.basename(file)}`;
      expect(damaged, where).toBeLessThan(8);
      // A few bits of a zstd frame mean nothing: then nothing may be wrong at all.
      if (findings.length === 0) expect([where, damaged, compression]).toEqual([where, 0, true]);
      for (const { message } of findings) expect(message, where).toContain(path.basename(file));
      affected += damaged > 0 ? 1 : 0;
      flipBit(file, bit);
    }
    expect(affected).toBeGreaterThan(FLIPS / 2);
    await using store = await LocalStore.open(scratch(), { readOnly: true });
    expect(await collect(store.check())).toEqual([]);
  }, 60_000);

  it("keeps the rest when its index is made anew from the packs", async () => {
    const sample = await writeSampleStore(scratch("whole"), { compression });
    for (const { file, bit } of [...places(packFilesOf(scratch("whole")), 3)].slice(0, 15)) {
      fs.rmSync(scratch("copy"), { recursive: true, force: true });
      fs.cpSync(scratch("whole"), scratch("copy"), { recursive: true });
      for (const suffix of ["", "-wal", "-shm"])
        fs.rmSync(scratch(`copy/meta.sqlite${suffix}`), { force: true });
      flipBit(path.join(scratch("copy/packs"), path.basename(file)), bit);
      await using store = await LocalStore.open(scratch("copy"));
      expect(store.recovery).toBeDefined();
      const results = [...(await readSample(store, sample)).values()];
      const lost = results.filter(({ expected, result }) => !isRight(expected, result));
      // A record is lost, and with it at most the blob that it is a chunk of.
      expect(lost.length).toBeLessThanOrEqual(1);
      for (const { result } of lost) {
        const isExpected =
          result === undefined ||
          result instanceof Uint8Array || // an earlier path info, that had been replaced
          CastoreError.is(result, "MISSING_REFERENCE");
        expect(isExpected).toBe(true);
      }
    }
  }, 60_000);
});
