import { describe, expect, it } from "vitest";
import type { BlobReader } from "../blobservice/blob-service.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import { concatBytes } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import { blobServiceSuite } from "../testing/blob-service-suite.js";
import { ChunkingBlobService } from "../testing/chunking-blob-service.js";
import { expectSameBytes, readAll } from "../testing/expectations.js";
import { type Fault, Faults, FaultyBlobService } from "../testing/faulty-services.js";
import { ManualClock } from "../testing/manual-clock.js";
import { SeededRandom, seededBytes } from "../testing/seeded-random.js";
import { collect, piecesOf, WatchedSource } from "../testing/sources.js";
import type { GuardOptions } from "./guarded-store.js";
import { MirrorBlobService } from "./mirror-blob-service.js";
import type { MirrorOptions } from "./mirror-writes.js";

const BYTES = seededBytes(1, 700_000);
const DIGEST = blake3(BYTES);
const NOWHERE = blake3(seededBytes(2, 10));

/** A mirror of stores in memory, each with faults of its own. */
function mirrorOf(count: number, options: MirrorOptions & GuardOptions = {}) {
  const clock = new ManualClock();
  const stores = Array.from({ length: count }, () => new MemoryBlobService());
  const faults = stores.map(() => new Faults());
  const members = stores.map((blobs, i) => ({
    service: new FaultyBlobService(blobs, faults[i] as Faults),
    name: `s${i}`,
  }));
  const errors: unknown[] = [];
  const service = new MirrorBlobService(members, {
    ...{ clock, timeoutMs: 1000, failures: 1_000_000 },
    onHealError: (error) => errors.push(error),
    ...options,
  });
  const holders = () => Promise.all(stores.map((blobs) => blobs.has(DIGEST)));
  return { clock, stores, faults, errors, service, holders };
}

blobServiceSuite(
  "mirror of three",
  async () => ({
    service: new MirrorBlobService([
      { service: new ChunkingBlobService(65_536), name: "a" },
      { service: new ChunkingBlobService(65_536), name: "b" },
      { service: new MemoryBlobService(), name: "c" },
    ]),
  }),
  { chunking: true },
);

describe("MirrorBlobService: put()", () => {
  it("gives all of it to all", async () => {
    const { stores, service } = mirrorOf(3);
    const source = new WatchedSource(piecesOf(BYTES, 10_000));
    expect((await service.put(source)).equals(DIGEST)).toBe(true);
    for (const blobs of stores) expectSameBytes(await readAll(blobs, DIGEST), BYTES);
    expect([source.opened, source.released]).toEqual([1, true]);
    await service.putMany([BYTES.subarray(1)]);
    for (const blobs of stores) expect(await blobs.has(blake3(BYTES.subarray(1)))).toBe(true);
  });

  it.each<Fault>(["failing", "failing-late"])(
    "goes on without a store that is %s, which is healed",
    async (fault) => {
      const { faults, service, holders } = mirrorOf(3);
      faults[1]?.setAll(fault);
      const healed = async () => {
        faults[1]?.clear();
        await service.settled();
        return holders();
      };
      expect((await service.put(piecesOf(BYTES, 10_000))).equals(DIGEST)).toBe(true);
      expect(await healed()).toEqual([true, true, true]);
    },
  );

  it("drops a store that takes too long", async () => {
    const { clock, faults, service, holders } = mirrorOf(3, { heal: false });
    faults[2]?.setBy(() => {
      // By then the others wait for this one, which is not held against them.
      setImmediate(() => clock.advance(1000));
      return "deaf";
    });
    expect((await service.put(piecesOf(BYTES, 100_000))).equals(DIGEST)).toBe(true);
    expect([await holders(), clock.pending]).toEqual([[true, true, false], 0]);
  });

  it.each<[number, number[], boolean]>([
    [1, [0, 1], true],
    [1, [0, 1, 2], false],
    [2, [2], true],
    [2, [0, 2], false],
    [3, [1], false],
  ])("with a quorum of %s, and %j down: %s", async (quorum, down, isStored) => {
    const { faults, service } = mirrorOf(3, { quorum, heal: false });
    for (const i of down) faults[i]?.setAll("failing-late");
    const source = new WatchedSource(piecesOf(BYTES, 10_000));
    const put = service.put(source);
    if (isStored) expect((await put).equals(DIGEST)).toBe(true);
    else {
      await expect(put).rejects.toMatchObject({
        code: "UNAVAILABLE",
        message: expect.stringContaining(`s${down[0]}: The service fails in the middle of a put`),
      });
    }
    expect(source.released).toBe(true);
  });

  it("reads no more of a source than it can use", async () => {
    const { faults, service } = mirrorOf(2);
    for (const one of faults) one.setAll("failing");
    const source = new WatchedSource(piecesOf(BYTES, 10_000));
    await expect(service.put(source)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect([source.pulled <= 1, source.released]).toEqual([true, true]);
  });

  it("fails with what its source fails with, which is the fault of no store", async () => {
    const failure = new Error("no more");
    const { service, holders } = mirrorOf(2, { failures: 1 });
    const put = service.put(new WatchedSource(piecesOf(BYTES, 10_000), failure));
    await expect(put).rejects.toBe(failure);
    expect(await holders()).toEqual([false, false]);
    expect((await service.put([BYTES])).equals(DIGEST)).toBe(true);
  });

  it("fails when stores do not agree on what it is", async () => {
    const liar = Object.assign(new MemoryBlobService(), { putMany: async () => [NOWHERE] });
    const service = new MirrorBlobService([
      { service: new MemoryBlobService(), name: "a" },
      { service: liar, name: "b" },
    ]);
    await expect(service.putMany([BYTES])).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it.each([0, 3, 1.5])("refuses a quorum of %s of 2", (quorum) => {
    expect(() => mirrorOf(2, { quorum })).toThrow(RangeError);
  });
});

describe("MirrorBlobService: reading", () => {
  it("heals those that lack what is read", async () => {
    const { stores, errors, service, holders } = mirrorOf(3);
    await stores[2]?.put([BYTES]);
    expectSameBytes(await readAll(service, DIGEST), BYTES);
    await service.settled();
    expect([await holders(), errors]).toEqual([[true, true, true], []]);
  });

  it("heals those that lack what is looked for", async () => {
    const { stores, service, holders } = mirrorOf(3);
    await stores[0]?.put([BYTES]);
    expect(await service.hasMany([NOWHERE, DIGEST])).toEqual([false, true]);
    await service.settled();
    expect(await holders()).toEqual([true, true, true]);
  });

  it("heals nothing where it is not to, or after its end", async () => {
    for (const heal of [true, false]) {
      const { stores, service, holders } = mirrorOf(2, { heal });
      await stores[1]?.put([BYTES]);
      await service.close();
      expectSameBytes(await readAll(service, DIGEST), BYTES);
      await service.settled();
      expect(await holders()).toEqual([false, true]);
    }
  });

  it("closes what it reads when the store that gets it takes no more", async () => {
    const source = new WatchedSource(piecesOf(BYTES, 10_000));
    const full = new CastoreError("STORAGE", "The disk is full");
    class Watched extends MemoryBlobService {
      override async openRead(): Promise<BlobReader> {
        return { size: BYTES.byteLength, stream: () => source };
      }
    }
    class Full extends MemoryBlobService {
      override async put(pieces: AsyncIterable<Uint8Array>): Promise<never> {
        for await (const _ of pieces) throw full;
        throw full;
      }
    }
    const errors: unknown[] = [];
    const service = new MirrorBlobService(
      [
        { service: new Full(), name: "full" },
        { service: new Watched(), name: "whole" },
      ],
      { onHealError: (error) => errors.push(error) },
    );
    await service.openRead(DIGEST);
    await service.settled();
    expect([errors, source.pulled, source.released]).toEqual([[full], 1, true]);
  });

  it("tells why a store could not be healed, and reads on", async () => {
    const { stores, faults, errors, service, holders } = mirrorOf(2);
    await stores[1]?.put([BYTES]);
    faults[0]?.setBy((call) => (call === "put" ? "failing" : undefined));
    expectSameBytes(await readAll(service, DIGEST), BYTES);
    await service.settled();
    expect([await holders(), errors.length]).toEqual([[false, true], 1]);
  });

  it("takes no failure for a miss", async () => {
    const { faults, service } = mirrorOf(2);
    for (const one of faults) {
      one.setAll("failing");
      for (const call of [
        service.has(NOWHERE),
        service.openRead(NOWHERE),
        service.chunks(NOWHERE),
      ]) {
        await expect(call).rejects.toMatchObject({ code: "UNAVAILABLE" });
      }
      one.clear();
    }
    expect(await service.openRead(NOWHERE)).toBeUndefined();
  });

  it("gives the right bytes or none, and loses nothing, whatever some stores do", async () => {
    const random = new SeededRandom(5);
    const kinds: readonly Fault[] = ["absent", "failing", "failing-late", "truncated"];
    const outcomes = { right: 0, failed: 0 };
    for (let round = 0; round < 100; round++) {
      const { faults, service, holders } = mirrorOf(3);
      for (const one of faults.slice(0, 2)) one.setSome(random, 3, kinds);
      try {
        await service.put(piecesOf(BYTES, 100_000));
      } catch (error) {
        if (!CastoreError.is(error)) throw error;
        outcomes.failed++;
        continue;
      }
      const reader = await service.openRead(DIGEST);
      if (reader === undefined) expect.fail("A blob that was stored is not there");
      try {
        expectSameBytes(concatBytes(await collect(reader.stream())), BYTES);
        outcomes.right++;
      } catch (error) {
        if (!CastoreError.is(error)) throw error;
      }
      for (const one of faults) one.clear();
      expectSameBytes(await readAll(service, DIGEST), BYTES);
      await service.settled();
      expect((await holders()).filter(Boolean).length).toBeGreaterThanOrEqual(2);
    }
    expect(outcomes.right).toBeGreaterThan(40);
    expect(outcomes.failed).toBeGreaterThan(0);
  });
});
