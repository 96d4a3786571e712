import fs from "node:fs";
import Database from "better-sqlite3";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { BlobPlace, BlobReader, OpenBlob } from "../blobservice/blob-service.js";
import { concatBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import { expectSameBytes } from "../testing/expectations.js";
import { flipBit, packFilesOf } from "../testing/sample-store.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { SeededRandom, seededBytes } from "../testing/seeded-random.js";
import { collect } from "../testing/sources.js";
import { LocalStore } from "./local-store.js";

const scratch = scratchDirectory();

const MIB = 1024 * 1024;
/** Longest blob that comes as its bytes. */
const INLINE_BYTES = MIB;

const opened: LocalStore[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

async function open(): Promise<LocalStore> {
  const store = await LocalStore.open(scratch("store"));
  opened.push(store);
  return store;
}

/** Blobs of all lengths: none, short, beyond a blocking read, of one chunk, of several. */
function makeBlobs(count: number): Uint8Array[] {
  const random = new SeededRandom(7);
  return Array.from({ length: count }, (_, i) => {
    const length = i % 40 === 0 ? 30_000 + random.below(200_000) : random.below(6000);
    // Some compress, some do not.
    return i % 2 === 0 ? seededBytes(i, length) : new Uint8Array(length).fill(i);
  });
}

async function readAll(reader: BlobReader): Promise<Uint8Array> {
  return concatBytes(await collect(reader.stream()));
}

async function bytesOf(blob: OpenBlob | undefined): Promise<Uint8Array> {
  if (blob === undefined) throw new Error("There is no blob");
  return blob instanceof Uint8Array ? blob : readAll(blob);
}

/** Opens all, some at a time; enough of them for threads to be started. */
async function openAll(
  store: LocalStore,
  digests: readonly B3Digest[],
): Promise<(OpenBlob | undefined)[]> {
  const parts: Promise<(OpenBlob | undefined)[]>[] = [];
  for (let i = 0; i < digests.length; i += 200) {
    const part = digests.slice(i, i + 200);
    parts.push(store.blobs.openMany?.(part, { inlineBytes: INLINE_BYTES }) ?? Promise.resolve([]));
  }
  return (await Promise.all(parts)).flat();
}

describe("LocalBlobService.openMany()", () => {
  it("opens thousands of blobs of all lengths, in the order asked for", async () => {
    const blobs = makeBlobs(3000);
    const digests = await (await open()).blobs.putMany(blobs);
    const store = await open();
    for (const order of [digests, digests.toReversed()]) {
      const result = await openAll(store, order);
      const expected = order === digests ? blobs : blobs.toReversed();
      for (const [i, blob] of result.entries()) {
        expectSameBytes(await bytesOf(blob), expected[i] as Uint8Array);
      }
    }
  });

  it("tells what is absent among what is there", async () => {
    const store = await open();
    const digests = await store.blobs.putMany(makeBlobs(1500));
    const absent = blake3(new Uint8Array(77));
    const mixed = digests.flatMap((digest, i) => (i % 100 === 0 ? [absent, digest] : [digest]));
    for (let round = 0; round < 2; round++) {
      const result = await openAll(store, mixed);
      for (const [i, blob] of result.entries()) {
        expect(blob === undefined).toBe(mixed[i] === absent);
      }
    }
  });

  it("sees what was stored after threads were started", async () => {
    const store = await open();
    const first = await store.blobs.putMany(makeBlobs(1500));
    await openAll(store, first);
    await openAll(store, first);
    const later = Array.from({ length: 100 }, (_, i) => seededBytes(10_000 + i, 500));
    const digests = await store.blobs.putMany(later);
    const result = await openAll(store, digests);
    for (const [i, blob] of result.entries()) {
      expectSameBytes(await bytesOf(blob), later[i] as Uint8Array);
    }
  });

  it("names what is damaged, with threads and without", async () => {
    const blobs = Array.from({ length: 2000 }, (_, i) => seededBytes(i, 3000));
    const first = await open();
    const digests = await first.blobs.putMany(blobs);
    await first.close();
    const [pack = ""] = packFilesOf(scratch("store"));
    flipBit(pack, 8 * (fs.statSync(pack).size - 2000));
    const store = await open();
    const failed: number[] = [];
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < digests.length; i += 100) {
        const part = digests.slice(i, i + 100);
        try {
          await store.blobs.openMany?.(part, { inlineBytes: INLINE_BYTES });
        } catch (error) {
          expect(error).toMatchObject({ name: "CastoreError", code: "CORRUPT" });
          failed.push(i);
        }
      }
    }
    expect(failed).toHaveLength(2);
    expect(new Set(failed).size).toBe(1);
  });

  it("reads what the index knows of, where the record behind another is damaged", async () => {
    const blobs = Array.from({ length: 20 }, (_, i) => seededBytes(i, 3000));
    const first = await open();
    const digests = await first.blobs.putMany(blobs);
    await first.close();
    const damaged = digests[7] as B3Digest;
    const index = new Database(scratch("store/meta.sqlite"));
    const where = index
      .prepare<[Uint8Array], { pack: number; offset: number }>(
        "delete from record where key = ? returning pack, offset",
      )
      .get(damaged.toBytes());
    index.close();
    const [pack = ""] = packFilesOf(scratch("store"));
    flipBit(pack, 8 * ((where?.offset ?? 0) + 1000));
    const store = await open();
    const openTogether = () => store.blobs.openMany?.(digests, { inlineBytes: INLINE_BYTES });
    expect((await openTogether())?.[7]).toBeUndefined();
    await store.blobs.putMany([blobs[7] as Uint8Array]);
    const result = (await openTogether()) ?? [];
    expect(result).toHaveLength(20);
    for (const [i, blob] of result.entries()) {
      expectSameBytes(await bytesOf(blob), blobs[i] as Uint8Array);
    }
  });

  it("rejects what is under way when the store is closed", async () => {
    const store = await open();
    const digests = await store.blobs.putMany(makeBlobs(2000));
    await openAll(store, digests);
    const reading = openAll(store, digests);
    const outcome = reading.then(
      () => "read",
      (error: unknown) => error,
    );
    await store.close();
    const result = await outcome;
    if (result !== "read") expect(result).toMatchObject({ code: "STORAGE" });
    await expect(openAll(store, digests)).rejects.toMatchObject({ code: "STORAGE" });
  });
});

describe("LocalBlobService.fillMany()", () => {
  /** Places one behind the other, and memory for them. */
  function places(digests: readonly B3Digest[], blobs: readonly Uint8Array[]) {
    let end = 0;
    const all = digests.map((digest, i) => {
      const { byteLength: length } = blobs[i] as Uint8Array;
      end += length;
      return { digest, offset: end - length, length };
    });
    return { all, memory: new SharedArrayBuffer(end) };
  }

  function fill(
    { blobs }: LocalStore,
    wanted: readonly BlobPlace[],
    memory: SharedArrayBuffer,
    expectedBytes: number,
  ): Promise<readonly number[]> {
    if (blobs.fillMany === undefined) throw new Error("There is no fillMany()");
    return blobs.fillMany(wanted, memory, { expectedBytes });
  }

  it.each([
    ["without threads", 0],
    ["with threads", 100 * MIB],
  ])("fills all that is short, %s, in any order, with repetitions", async (_, expectedBytes) => {
    const blobs = makeBlobs(400).filter((blob) => blob.byteLength <= 6000);
    const digests = await (await open()).blobs.putMany(blobs);
    const random = new SeededRandom(9);
    const order = Array.from({ length: 600 }, (_, i) =>
      i % 3 === 0 ? random.below(blobs.length) : i % blobs.length,
    );
    const wanted = order.map((i) => blobs[i] as Uint8Array);
    const { all, memory } = places(
      order.map((i) => digests[i] as B3Digest),
      wanted,
    );
    const store = await open();
    expect(await fill(store, all, memory, expectedBytes)).toEqual([]);
    for (const [i, { offset, length }] of all.entries()) {
      expectSameBytes(new Uint8Array(memory, offset, length), wanted[i] as Uint8Array);
    }
  });

  it.each([
    ["without threads", 0],
    ["with threads", 100 * MIB],
  ])("does not fill what is damaged, %s", async (_, expectedBytes) => {
    const blobs = Array.from({ length: 100 }, (_, i) => seededBytes(i, 3000));
    const first = await open();
    const digests = await first.blobs.putMany(blobs);
    await first.close();
    const [pack = ""] = packFilesOf(scratch("store"));
    for (const back of [2000, 100_000, 200_000]) {
      flipBit(pack, 8 * (fs.statSync(pack).size - back));
    }
    const { all, memory } = places(digests, blobs);
    const store = await open();
    const missed = await fill(store, all, memory, expectedBytes);
    expect(missed).toHaveLength(3);
    for (const [i, { digest, offset, length }] of all.entries()) {
      if (missed.includes(i)) {
        const reader = await store.blobs.openRead(digest);
        if (reader === undefined) throw new Error("There is no blob");
        await expect(collect(reader.stream())).rejects.toMatchObject({ code: "CORRUPT" });
      } else {
        expectSameBytes(new Uint8Array(memory, offset, length), blobs[i] as Uint8Array);
      }
    }
  });

  it("puts blobs of several chunks together, and holds them against their digest", async () => {
    const blobs = [200_000, 500_000, 1_000_000].map((length, i) => seededBytes(i, length));
    const store = await open();
    const digests = await store.blobs.putMany(blobs);
    const { all, memory } = places(digests, blobs);
    expect(await fill(store, all, memory, 100 * MIB)).toEqual([]);
    for (const [i, { offset, length }] of all.entries()) {
      expectSameBytes(new Uint8Array(memory, offset, length), blobs[i] as Uint8Array);
    }
  });
});

describe("LocalBlobService.readNow()", () => {
  it("gives nothing of what is damaged", async () => {
    const first = await open();
    const blobs = [seededBytes(1, 200_000), seededBytes(2, 3000)];
    const digests = await first.blobs.putMany(blobs);
    await first.close();
    const [pack = ""] = packFilesOf(scratch("store"));
    flipBit(pack, 8 * (fs.statSync(pack).size - 1000));
    const store = await open();
    const read = digests.map((digest, i) =>
      store.blobs.readNow?.(digest, blobs[i]?.byteLength ?? 0),
    );
    expect(read.filter((content) => content === undefined)).toHaveLength(1);
  });

  it("leaves a while to others once a read has taken long", async () => {
    const store = await open();
    const blob = seededBytes(1, 200_000);
    const [digest] = (await store.blobs.putMany([blob])) as [B3Digest];
    const read = (): boolean => store.blobs.readNow?.(digest, blob.byteLength) !== undefined;
    const clock = vi.spyOn(performance, "now");
    onTestFinished(() => clock.mockRestore());
    let now = 0;
    let step = 1;
    clock.mockImplementation(() => {
      now += step;
      return now;
    });
    expect([read(), read()]).toEqual([true, true]);
    step = 50;
    // It is there by now, and given.
    expect(read()).toBe(true);
    step = 1;
    const later = Array.from({ length: 200 }, read);
    expect(later[0]).toBe(false);
    expect(later.indexOf(true)).toBeGreaterThan(10);
    expect(later.slice(later.indexOf(true)).every(Boolean)).toBe(true);
  });
});

describe("a blob of many chunks", () => {
  it("streams all of it or any part, before and after threads were started", async () => {
    const bytes = seededBytes(3, 12 * MIB);
    bytes.fill(1, 3 * MIB, 6 * MIB);
    const store = await open();
    const digest = await store.blobs.put([bytes]);
    const reader = await store.blobs.openRead(digest);
    if (reader === undefined) throw new Error("There is no blob");
    const random = new SeededRandom(8);
    for (let round = 0; round < 12; round++) {
      const offset = random.below(bytes.byteLength);
      const length = random.below(round % 2 === 0 ? 1000 : bytes.byteLength);
      const pieces = await collect(reader.stream({ offset, length }));
      expectSameBytes(concatBytes(pieces), bytes.subarray(offset, offset + length));
    }
    expectSameBytes(await readAll(reader), bytes);
  });
});
