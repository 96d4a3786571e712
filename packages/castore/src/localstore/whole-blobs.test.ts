import { afterEach, describe, expect, it } from "vitest";
import { blake3 } from "../hasher/blake3.js";
import { NOWHERE } from "../testing/directory-builders.js";
import { expectSameBytes, readAll } from "../testing/expectations.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { seededBytes } from "../testing/seeded-random.js";
import { LocalStore } from "./local-store.js";
import { MAX_WHOLE_BYTES } from "./whole-blobs.js";

const scratch = scratchDirectory();

const KIB = 1024;

/** Blobs of one chunk and of several, and one that is too long to be cut where it lies. */
const LENGTHS = [0, 1, 128 * KIB, 128 * KIB + 1, 700 * KIB, MAX_WHOLE_BYTES, MAX_WHOLE_BYTES + 1];

/** Of each length one that is cut by its content, and one that is cut where chunks are longest. */
const BLOBS = LENGTHS.flatMap((length, i) => [seededBytes(i, length), new Uint8Array(length)]);

const opened: LocalStore[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

async function open(name: string): Promise<LocalStore> {
  const store = await LocalStore.open(scratch(name));
  opened.push(store);
  return store;
}

describe("putMany() of blobs that are cut where they lie", () => {
  it("stores the chunks that put() makes of them", async () => {
    const [many, single] = [await open("many"), await open("single")];
    const digests = await many.blobs.putMany(BLOBS);
    expect(digests).toEqual(BLOBS.map((blob) => blake3(blob)));
    for (const [i, digest] of digests.entries()) {
      const blob = BLOBS[i] as Uint8Array;
      expectSameBytes(await readAll(many.blobs, digest), blob);
      await single.blobs.put([blob]);
      expect(await many.blobs.chunks(digest)).toEqual(await single.blobs.chunks(digest));
    }
  });

  it("takes them from shared memory", async () => {
    const store = await open("shared");
    const memory = new Uint8Array(new SharedArrayBuffer(1500 * KIB));
    memory.set(seededBytes(9, memory.byteLength));
    const blobs = [memory.subarray(10, 20), memory.subarray(20, 900 * KIB), memory.subarray(20)];
    const digests = await store.blobs.putMany(blobs);
    for (const [i, digest] of digests.entries()) {
      expectSameBytes(await readAll(store.blobs, digest), new Uint8Array(blobs[i] as Uint8Array));
    }
  });
});

describe("putMany() of blobs that are said to be missing", () => {
  it("stores those once that are there all the same", async () => {
    const store = await open("missing");
    const blobs = [seededBytes(1, 100), seededBytes(2, 900 * KIB), seededBytes(1, 100)];
    const first = await store.blobs.putMany(blobs, { areMissing: true });
    const { records } = store.counters.added;
    expect(await store.blobs.putMany(blobs, { areMissing: true })).toEqual(first);
    expect(first).toEqual(blobs.map((blob) => blake3(blob)));
    expect(store.counters.added.records).toBe(records);
  });
});

describe("hasMany()", () => {
  it("finds blobs of one chunk and of several, in any order and repeatedly", async () => {
    const store = await open("has");
    const [short, long] = await store.blobs.putMany([
      seededBytes(1, 10),
      seededBytes(2, 900 * KIB),
    ]);
    if (short === undefined || long === undefined) throw new Error("Two blobs are stored");
    const asked = [NOWHERE, long, short, NOWHERE, blake3(seededBytes(3, 5)), short];
    expect(await store.blobs.hasMany(asked)).toEqual([false, true, true, false, false, true]);
  });

  it("finds nothing in a store that was never written to", async () => {
    const store = await open("blank");
    expect(await store.blobs.hasMany([NOWHERE, NOWHERE])).toEqual([false, false]);
  });
});
