import { describe, expect, it } from "vitest";
import type { BlobReader, BlobService } from "../blobservice/blob-service.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import { concatBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import { blobServiceSuite } from "../testing/blob-service-suite.js";
import { ChunkingBlobService } from "../testing/chunking-blob-service.js";
import { expectSameBytes, readAll } from "../testing/expectations.js";
import { type Fault, Faults, FaultyBlobService } from "../testing/faulty-services.js";
import { ManualClock } from "../testing/manual-clock.js";
import { SeededRandom, seededBytes } from "../testing/seeded-random.js";
import { collect, piecesOf, WatchedSource } from "../testing/sources.js";
import { FallbackBlobService } from "./fallback-blob-service.js";
import { RaceBlobService } from "./race-blob-service.js";

const BYTES = seededBytes(1, 700_000);
const DIGEST = blake3(BYTES);
const NOWHERE = blake3(seededBytes(2, 10));

/** Several stores in memory, each with faults of its own. */
function storesOf(count: number) {
  const clock = new ManualClock();
  const inner = Array.from({ length: count }, () => new MemoryBlobService());
  const faults = inner.map(() => new Faults());
  const members = inner.map((blobs, i) => ({
    service: new FaultyBlobService(blobs, faults[i] as Faults),
    name: `s${i}`,
  }));
  return { clock, inner, faults, members, options: { clock, timeoutMs: 1000, failures: 3 } };
}

async function opened(service: BlobService, digest: B3Digest): Promise<BlobReader> {
  const reader = await service.openRead(digest);
  return reader ?? expect.fail("The blob is not there");
}

const COMBINATORS = [
  ["fallback", FallbackBlobService],
  ["race", RaceBlobService],
] as const;

for (const [name, Combinator] of COMBINATORS) {
  blobServiceSuite(
    `${name}: of one that chunks and an empty one`,
    async () => ({
      service: new Combinator([
        { service: new ChunkingBlobService(65_536), name: "first" },
        { service: new MemoryBlobService(), name: "second" },
      ]),
    }),
    { chunking: true },
  );

  blobServiceSuite(`${name}: the first is down`, async () => {
    const { members, faults, options } = storesOf(2);
    faults[0]?.setAll("failing");
    // What is nowhere is not known while a store is down; the suite looks for that as well.
    const [down, up] = members;
    const service = new Combinator(members, options);
    expect([down, up]).not.toContain(undefined);
    return { service: withMissesOf(service, up?.service as BlobService) };
  });
}

/** `service`, that says "absent" where `store` does and `service` cannot know. */
function withMissesOf(service: BlobService, store: BlobService): BlobService {
  const orMiss = async <T>(call: Promise<T>, miss: () => Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      if (!CastoreError.is(error, "UNAVAILABLE")) throw error;
      return miss();
    }
  };
  return {
    has: (digest, options) => orMiss(service.has(digest, options), () => store.has(digest)),
    hasMany: (digests, options) =>
      orMiss(service.hasMany(digests, options), () => store.hasMany(digests)),
    openRead: (digest, options) =>
      orMiss(service.openRead(digest, options), async () => {
        if (await store.has(digest)) return service.openRead(digest, options);
        return undefined;
      }),
    chunks: (digest, options) =>
      orMiss(service.chunks(digest, options), () => store.chunks(digest)),
    put: (source, options) => service.put(source, options),
    putMany: (blobs, options) => service.putMany(blobs, options),
  };
}

describe.each(COMBINATORS)("%s: reads", (_name, Combinator) => {
  it("what any store has", async () => {
    const { inner, members, options } = storesOf(3);
    await inner[2]?.put([BYTES]);
    const service = new Combinator(members, options);
    expectSameBytes(await readAll(service, DIGEST), BYTES);
    expect(await service.has(DIGEST)).toBe(true);
    expect(await service.hasMany([NOWHERE, DIGEST])).toEqual([false, true]);
    expect(await service.chunks(DIGEST)).toEqual([]);
  });

  it.each<Fault>(["failing", "failing-late", "hanging", "deaf", "truncated"])(
    "from another store when one is %s before it gave out anything",
    async (fault) => {
      const { clock, inner, faults, members, options } = storesOf(2);
      for (const blobs of inner) await blobs.put([BYTES]);
      const service = new Combinator(members, options);
      const reader = await opened(service, DIGEST);
      // Whoever has opened it: both are right until here, and the faulty one is the first that streams.
      let isFirst = true;
      for (const one of faults) {
        one.setBy((call) => {
          if (call !== "stream" || !isFirst) return undefined;
          isFirst = false;
          if (fault === "hanging" || fault === "deaf") queueMicrotask(() => clock.advance(1000));
          return fault;
        });
      }
      const read = collect(reader.stream());
      if (fault === "failing-late" || fault === "truncated") {
        await expect(read).rejects.toBeInstanceOf(CastoreError);
      } else {
        expectSameBytes(concatBytes(await read), BYTES);
      }
      expect(clock.pending).toBe(0);
    },
  );

  it("never one store after the first bytes of another", async () => {
    const { inner, faults, members, options } = storesOf(2);
    for (const blobs of inner) await blobs.put([BYTES]);
    const service = new Combinator(members, options);
    const reader = await opened(service, DIGEST);
    for (const one of faults) one.setAll("failing-late");
    const given: Uint8Array[] = [];
    const read = async (): Promise<void> => {
      for await (const bytes of reader.stream()) given.push(bytes);
    };
    await expect(read()).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(given).toHaveLength(1);
    const all = concatBytes(given);
    expectSameBytes(all, BYTES.subarray(0, all.byteLength));
  });

  it("nothing from a store that says another size than what names the blob", async () => {
    const { inner, members, options } = storesOf(2);
    for (const store of inner) await store.put([BYTES]);
    const [first, second] = members;
    if (first === undefined || second === undefined) expect.fail("two stores");
    const short = new MemoryBlobService();
    const wrong = await short.put([BYTES.subarray(0, 10)]);
    const liar = withMissesOf(first.service, short);
    const lying: BlobService = { ...liar, openRead: () => short.openRead(wrong) };
    const service = new Combinator([{ ...first, service: lying }, second], options);
    const reader = await service.openRead(DIGEST, { expectedSize: BYTES.byteLength });
    expect(reader?.size).toBe(BYTES.byteLength);
    expectSameBytes(concatBytes(await collect(reader?.stream() ?? expect.fail("gone"))), BYTES);
  });

  it("nothing from a store whose blob has another size", async () => {
    const { inner, members, faults, options } = storesOf(1);
    await inner[0]?.put([BYTES]);
    const liar: BlobService = Object.create(new MemoryBlobService(), {
      openRead: { value: async () => ({ size: 3, stream: () => piecesOf(BYTES, 3) }) },
    });
    const service = new FallbackBlobService([...members, { service: liar, name: "liar" }], options);
    const reader = await opened(service, DIGEST);
    faults[0]?.setAll("failing");
    await expect(collect(reader.stream())).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("liar: It has 3 bytes there instead of 700000"),
    });
  });

  it("and takes no failure for a miss", async () => {
    const { faults, members, options } = storesOf(2);
    const service = new Combinator(members, { ...options, failures: 1000 });
    for (const one of [0, 1]) {
      faults[one]?.setAll("failing");
      for (const call of [
        service.has(NOWHERE),
        service.hasMany([NOWHERE]),
        service.openRead(NOWHERE),
        service.chunks(NOWHERE),
      ]) {
        await expect(call).rejects.toMatchObject({ code: "UNAVAILABLE" });
      }
      faults[one]?.clear();
    }
    expect(await service.openRead(NOWHERE)).toBeUndefined();
  });

  it("the right bytes or none, whatever some stores do", async () => {
    const random = new SeededRandom(7);
    const kinds: readonly Fault[] = ["absent", "failing", "failing-late", "truncated"];
    const outcomes = { right: 0, failed: 0 };
    for (let round = 0; round < 300; round++) {
      const { inner, faults, members, options } = storesOf(3);
      for (const blobs of inner) await blobs.put([BYTES]);
      for (const one of faults.slice(0, 2)) one.setSome(random, 2, kinds);
      const service = new Combinator(members, options);
      const offset = random.below(BYTES.byteLength);
      const range = { offset, length: random.below(400_000) };
      const expected = BYTES.subarray(offset, offset + range.length);
      expect(await service.has(DIGEST)).toBe(true);
      const reader = await opened(service, DIGEST);
      try {
        expectSameBytes(concatBytes(await collect(reader.stream(range))), expected);
        outcomes.right++;
      } catch (error) {
        if (!CastoreError.is(error)) throw error;
        outcomes.failed++;
      }
    }
    expect(outcomes.right).toBeGreaterThan(150);
    expect(outcomes.failed).toBeGreaterThan(0);
  });
});

describe.each(COMBINATORS)("%s: put()", (_name, Combinator) => {
  it("takes the next store as long as nothing was read of the source", async () => {
    const { inner, faults, members, options } = storesOf(2);
    faults[0]?.setAll("failing");
    const service = new Combinator(members, options);
    const source = new WatchedSource(piecesOf(BYTES, 100_000));
    expect((await service.put(source)).equals(DIGEST)).toBe(true);
    expect([await inner[1]?.has(DIGEST), source.opened, source.released]).toEqual([true, 1, true]);
    expect(await service.putMany([BYTES])).toEqual([DIGEST]);
  });

  it("fails when the store does that has begun to read, and closes the source", async () => {
    const { inner, faults, members, options } = storesOf(2);
    faults[0]?.setAll("failing-late");
    const service = new Combinator(members, options);
    const source = new WatchedSource(piecesOf(BYTES, 100_000));
    await expect(service.put(source)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect([await inner[1]?.has(DIGEST), source.opened, source.released]).toEqual([false, 1, true]);
  });

  it("closes the source that no store takes", async () => {
    const { faults, members, options } = storesOf(2);
    for (const one of faults) one.setAll("failing");
    const source = new WatchedSource([BYTES]);
    const put = new Combinator(members, options).put(source);
    await expect(put).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect([source.pulled, source.released]).toEqual([0, true]);
  });

  it("waits for a source as long as that takes, and not for a store", async () => {
    const { clock, faults, members, options } = storesOf(1);
    const service = new Combinator(members, options);
    async function* slow(): AsyncGenerator<Uint8Array> {
      for (const bytes of piecesOf(BYTES, 100_000)) {
        clock.advance(5000);
        yield bytes;
      }
    }
    expect((await service.put(slow())).equals(DIGEST)).toBe(true);
    faults[0]?.setBy(() => {
      queueMicrotask(() => clock.advance(1000));
      return "deaf";
    });
    await expect(service.put([BYTES])).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(clock.pending).toBe(0);
  });

  it("does not hold a failure of the source against the store", async () => {
    const { members, options } = storesOf(1);
    const service = new Combinator(members, { ...options, failures: 1 });
    const failure = new Error("no more");
    const put = service.put(new WatchedSource([BYTES], failure));
    await expect(put).rejects.toBe(failure);
    expect((await service.put([BYTES])).equals(DIGEST)).toBe(true);
  });
});

describe("FallbackBlobService", () => {
  it("leaves a store alone that failed three times, and asks it again later", async () => {
    const { clock, inner, faults, members, options } = storesOf(2);
    for (const blobs of inner) await blobs.put([BYTES]);
    faults[0]?.setAll("failing");
    const service = new FallbackBlobService(members, { ...options, retryAfterMs: 100 });
    for (let i = 0; i < 10; i++) expect(await service.has(DIGEST)).toBe(true);
    expect(faults[0]?.calls).toHaveLength(3);
    faults[0]?.clear();
    clock.advance(100);
    for (let i = 0; i < 3; i++) expect(await service.has(DIGEST)).toBe(true);
    expect(faults[0]?.calls).toHaveLength(6);
  });

  it("asks the later stores about what is missing alone", async () => {
    const { inner, members, options } = storesOf(2);
    const [a, b] = [seededBytes(3, 10), seededBytes(4, 10)];
    await inner[0]?.put([a]);
    await inner[1]?.put([b]);
    const asked: number[] = [];
    const second = Object.create(inner[1] as MemoryBlobService, {
      hasMany: {
        value: (digests: readonly B3Digest[]) => {
          asked.push(digests.length);
          return inner[1]?.hasMany(digests);
        },
      },
    });
    const [first] = members;
    const service = new FallbackBlobService(
      [first ?? expect.fail(), { service: second, name: "second" }],
      options,
    );
    expect(await service.hasMany([blake3(a), NOWHERE, blake3(b)])).toEqual([true, false, true]);
    expect(asked).toEqual([2]);
  });
});

describe("RaceBlobService", () => {
  it("takes the first that has it, and aborts the others", async () => {
    const { inner, faults, members, options } = storesOf(3);
    await inner[2]?.put([BYTES]);
    faults[0]?.setAll("hanging");
    const service = new RaceBlobService(members, options);
    expectSameBytes(await readAll(service, DIGEST), BYTES);
    expect(await service.has(DIGEST)).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(options.clock.pending).toBe(0);
  });
});
