import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { BlobService, ChunkMeta } from "../blobservice/blob-service.js";
import type { BlobChunks } from "../blobservice/chunked-blob-upload.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import { concatBytes, splitBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import { LocalStore } from "../localstore/local-store.js";
import { blobServiceSuite } from "../testing/blob-service-suite.js";
import { ChunkingBlobService } from "../testing/chunking-blob-service.js";
import { expectSameBytes, readAll } from "../testing/expectations.js";
import { type Fault, Faults, FaultyBlobService } from "../testing/faulty-services.js";
import { ManualClock } from "../testing/manual-clock.js";
import { SeededRandom, seededBytes } from "../testing/seeded-random.js";
import { collect, piecesOf, WatchedSource } from "../testing/sources.js";
import { splitService } from "../testing/split-service.js";
import { CacheBlobService, type CacheBlobServiceOptions } from "./cache-blob-service.js";
import type { CacheNote, CacheNotes } from "./cache-notes.js";

const KIB = 1024;
const AVERAGE = 16 * KIB;
const LARGE = seededBytes(1, 2_000_000);
const DIGEST = blake3(LARGE);
const SMALL = seededBytes(2, 5000);
const NOWHERE = blake3(seededBytes(3, 10));
const DOWN = { code: "UNAVAILABLE" };

/** Notes in memory. */
class MemoryNotes implements CacheNotes {
  readonly values = new Map<string, Uint8Array>();

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.values.get(String(key));
  }

  async putMany(notes: readonly CacheNote[]): Promise<void> {
    for (const { key, value } of notes) this.values.set(String(key), value);
  }
}

/** A far store that holds LARGE in chunks, and SMALL; a near one that is empty. */
async function cached(options: CacheBlobServiceOptions = {}, near = new MemoryBlobService()) {
  const clock = new ManualClock();
  const inner = new ChunkingBlobService(AVERAGE);
  await inner.putMany([LARGE, SMALL]);
  const faults = new Faults();
  const far = new FaultyBlobService(inner, faults);
  const errors: unknown[] = [];
  const all: CacheBlobServiceOptions = {
    clock,
    onFillError: (error) => errors.push(error),
    notes: new MemoryNotes(),
    ...options,
    far: { timeoutMs: 1000, ...options.far },
  };
  const open = () => new CacheBlobService(near, far, all);
  return { clock, inner, faults, far, near, errors, open, service: open() };
}

const IDLE = async (): Promise<void> => {};

blobServiceSuite("cache: writes near", async () => ({
  service: new CacheBlobService(new MemoryBlobService(), new MemoryBlobService()),
}));

blobServiceSuite(
  "cache: writes near, which chunks",
  async () => ({
    service: new CacheBlobService(new ChunkingBlobService(65_536), new MemoryBlobService()),
  }),
  { chunking: true },
);

blobServiceSuite("cache: writes through", async () => ({
  service: new CacheBlobService(new MemoryBlobService(), new ChunkingBlobService(65_536), {
    writes: "through",
    missesForMs: 0,
  }),
}));

blobServiceSuite(
  "cache: everything is far",
  async () => {
    const far = new ChunkingBlobService(65_536);
    const cache = new CacheBlobService(new MemoryBlobService(), far, { missesForMs: 0 });
    return { service: splitService(cache, far), close: () => cache.close() };
  },
  { chunking: true },
);

blobServiceSuite("cache: everything is far, without chunks", async () => {
  const far = new MemoryBlobService();
  const cache = new CacheBlobService(new MemoryBlobService(), far, { missesForMs: 0 });
  return { service: splitService(cache, far), close: () => cache.close() };
});

blobServiceSuite(
  "cache: everything is far, and its lists are believed",
  async () => {
    const far = new ChunkingBlobService(65_536);
    const cache = new CacheBlobService(new MemoryBlobService(), far, {
      missesForMs: 0,
      trustsChunkLists: true,
      maxFillBytes: 100_000_000,
    });
    return { service: splitService(cache, far), close: () => cache.close() };
  },
  { chunking: true },
);

describe("CacheBlobService: a range", () => {
  const range = { offset: 1_000_000, length: 4096 };
  const part = LARGE.subarray(1_000_000, 1_004_096);

  it("takes from far the chunks that it touches, once", async () => {
    const { service, faults, far } = await cached();
    const chunks = (await far.chunks(DIGEST)) ?? [];
    faults.forget();
    expectSameBytes(await readAll(service, DIGEST, range), part);
    expect(faults.bytesRead).toBe(touched(chunks, 1_000_000, 1_004_096));
    await service.settled();
    faults.forget();
    expectSameBytes(await readAll(service, DIGEST, range), part);
    expect(faults.calls).toEqual([]);
  });

  it("is fetched once for all who ask at a time", async () => {
    const { service, faults, inner } = await cached();
    const chunks = (await inner.chunks(DIGEST)) ?? [];
    const reads = Array.from({ length: 20 }, () => readAll(service, DIGEST, range));
    for (const bytes of await Promise.all(reads)) {
      expectSameBytes(bytes, part);
      bytes.fill(0);
    }
    expect(faults.bytesRead).toBe(touched(chunks, 1_000_000, 1_004_096));
    expectSameBytes(await readAll(service, DIGEST, range), part);
  });

  it("is near also for those who come while it is being stored", async () => {
    const { service, faults } = await cached();
    await readAll(service, DIGEST, range);
    faults.setAll("failing");
    expectSameBytes(await readAll(service, DIGEST, range), part);
  });

  it("is near after a restart, and far is asked for nothing", async () => {
    const { service, faults, open } = await cached();
    await readAll(service, DIGEST, range);
    await service.close();
    faults.forget();
    faults.setAll("failing");
    expectSameBytes(await readAll(open(), DIGEST, range), part);
    expect(faults.calls).toEqual([]);
  });

  it("does not keep others from aborting", async () => {
    const { service, faults } = await cached();
    const reader = (await service.openRead(DIGEST)) ?? expect.fail("not there");
    faults.setAll("hanging");
    const controller = new AbortController();
    const read = collect(reader.stream(range, { signal: controller.signal }));
    controller.abort("enough");
    await expect(read).rejects.toBe("enough");
    faults.clear();
    expectSameBytes(concatBytes(await collect(reader.stream(range))), part);
  });
});

describe("CacheBlobService: a whole blob", () => {
  it("comes from far once, and is a blob of near then", async () => {
    const { service, near, faults, errors, open } = await cached();
    expectSameBytes(await readAll(service, DIGEST), LARGE);
    expect(faults.bytesRead).toBe(LARGE.byteLength);
    await service.settled();
    expect([await near.has(DIGEST), errors]).toEqual([true, []]);
    faults.setAll("failing");
    expectSameBytes(await readAll(open(), DIGEST), LARGE);
  });

  it("is a blob of near as soon as all of its parts were read", async () => {
    const { service, near, open } = await cached();
    const offsets = Array.from({ length: 20 }, (_, i) => i * 100_000);
    for (const offset of offsets.slice(0, 10)) {
      await readAll(service, DIGEST, { offset, length: 100_000 });
    }
    await service.close();
    expect(await near.has(DIGEST)).toBe(false);
    const again = open();
    for (const offset of offsets.slice(10)) {
      await readAll(again, DIGEST, { offset, length: 100_000 });
    }
    await again.settled();
    expect(await near.has(DIGEST)).toBe(true);
  });

  it("is put together once, however often who has opened it before reads it", async () => {
    let count = 0;
    class CountingNear extends MemoryBlobService {
      override async putChunked(chunks: BlobChunks): Promise<void> {
        count++;
        await super.putChunked(chunks);
      }
    }
    const { service } = await cached({}, new CountingNear());
    const reader = (await service.openRead(DIGEST)) ?? expect.fail("The blob is absent");
    for (let i = 0; i < 3; i++) {
      for (const range of [{}, { length: 1_000_000 }]) {
        await collect(reader.stream(range));
        await service.settled();
      }
    }
    expect(count).toBe(1);
  });

  it("comes without the chunks that near has", async () => {
    const { service, near, inner, faults } = await cached();
    const chunks = (await inner.chunks(DIGEST)) ?? [];
    const parts = splitBytes(
      LARGE,
      chunks.map(({ size }) => size),
    );
    await near.putMany(parts.slice(10));
    expectSameBytes(await readAll(service, DIGEST), LARGE);
    expect(faults.bytesRead).toBe(touched(chunks.slice(0, 10), 0, LARGE.byteLength));
  });

  it("is fetched in the background where that was asked for", async () => {
    const { service, near, faults } = await cached({ maxFillBytes: LARGE.byteLength });
    await readAll(service, DIGEST, { offset: 5, length: 10 });
    await service.settled();
    expect([await near.has(DIGEST), faults.bytesRead]).toEqual([true, LARGE.byteLength]);
  });

  it("is not, where it is too long, or after the end", async () => {
    const { service, faults, open } = await cached({ maxFillBytes: LARGE.byteLength - 1 });
    await readAll(service, DIGEST, { offset: 5, length: 10 });
    await service.settled();
    expect(faults.bytesRead).toBeLessThan(100_000);
    const closed = open();
    await closed.close();
    await readAll(closed, DIGEST, { offset: 5, length: 10 });
    await closed.settled();
    expect(faults.bytesRead).toBeLessThan(100_000);
  });

  it("holds in memory no more than it may", async () => {
    const near = new MemoryBlobService();
    let open = 0;
    let most = 0;
    const slow = Object.assign(Object.create(near), {
      putMany: async (blobs: readonly Uint8Array[]) => {
        for (const { byteLength } of blobs) open += byteLength;
        most = Math.max(most, open);
        await new Promise((resolve) => setImmediate(resolve));
        for (const { byteLength } of blobs) open -= byteLength;
        return near.putMany(blobs);
      },
    });
    const { service } = await cached({ maxBytesInFlight: 100_000 }, slow);
    expectSameBytes(await readAll(service, DIGEST), LARGE);
    await service.settled();
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(100_000);
  });
});

describe("CacheBlobService: blobs without chunks", () => {
  it("short ones come whole, and once", async () => {
    const { service, near, faults } = await cached();
    const digest = blake3(SMALL);
    const reads = [1, 2, 3].map(() => readAll(service, digest, { offset: 10, length: 20 }));
    for (const bytes of await Promise.all(reads)) expectSameBytes(bytes, SMALL.subarray(10, 30));
    expect(faults.bytesRead).toBe(SMALL.byteLength);
    await service.settled();
    expect(await near.has(digest)).toBe(true);
  });

  async function withoutChunks() {
    const bytes = seededBytes(4, 5_000_000);
    const far = new MemoryBlobService();
    const near = new MemoryBlobService();
    const digest = await far.put([bytes]);
    const faults = new Faults();
    const errors: unknown[] = [];
    const options = { onFillError: (error: unknown) => errors.push(error) };
    const service = new CacheBlobService(near, new FaultyBlobService(far, faults), options);
    return { bytes, digest, near, faults, errors, service };
  }

  it("long ones are stored while they are given out", async () => {
    const { bytes, digest, near, faults, service } = await withoutChunks();
    expectSameBytes(await readAll(service, digest), bytes);
    await service.settled();
    expect([await near.has(digest), faults.bytesRead]).toEqual([true, bytes.byteLength]);
  });

  it("a part of a long one takes all of it, once", async () => {
    const { bytes, digest, faults, service } = await withoutChunks();
    const offsets = [4_000_000, 7, 123_456];
    const reads = offsets.map((offset) => readAll(service, digest, { offset, length: 1000 }));
    for (const [i, part] of (await Promise.all(reads)).entries()) {
      const offset = offsets[i] as number;
      expectSameBytes(part, bytes.subarray(offset, offset + 1000));
    }
    expect(faults.bytesRead).toBe(bytes.byteLength);
  });

  it("nothing is stored of a long one that is left", async () => {
    const { digest, near, errors, service } = await withoutChunks();
    const reader = (await service.openRead(digest)) ?? expect.fail("not there");
    for await (const _ of reader.stream()) break;
    await service.settled();
    expect([await near.has(digest), errors]).toEqual([false, []]);
  });

  it.each<Fault>(["wrong-bytes", "truncated", "failing-late"])(
    "nothing is stored of one that is %s",
    async (fault) => {
      const { digest, near, faults, service } = await withoutChunks();
      const reader = (await service.openRead(digest)) ?? expect.fail("not there");
      faults.setAll(fault);
      await expect(collect(reader.stream())).rejects.toBeInstanceOf(CastoreError);
      const part = collect(reader.stream({ offset: 1, length: 1 }));
      await expect(part).rejects.toBeInstanceOf(CastoreError);
      await service.settled();
      expect(await near.has(digest)).toBe(false);
    },
  );
});

describe("CacheBlobService: many blobs", () => {
  const blobs = [10, 0, 3000, 100_000, 300_000].map((size, i) => seededBytes(50 + i, size));

  /** A far that gives many blobs in one call, and the wrong ones where it is told to. */
  async function together(near: BlobService = new MemoryBlobService()) {
    const inner = new MemoryBlobService();
    const digests = await inner.putMany(blobs);
    const calls: number[] = [];
    const far = {
      lies: false,
      openMany: async (asked: readonly B3Digest[]) => {
        calls.push(asked.length);
        const opened = asked.map(async (digest) => {
          if (far.lies) return seededBytes(60, 10);
          const reader = await inner.openRead(digest);
          return reader && concatBytes(await collect(reader.stream()));
        });
        return Promise.all(opened);
      },
    };
    const service = new CacheBlobService(
      near,
      Object.assign(methodsOf(inner), {
        openMany: far.openMany,
      }),
    );
    return { near, digests, far, calls, service };
  }

  it("come in one call, those that near does not have, once", async () => {
    const { near, digests, calls, service } = await together();
    await near.put([blobs[2] as Uint8Array]);
    const wanted = [...digests, NOWHERE];
    for (let round = 0; round < 2; round++) {
      const opened = await service.openMany(wanted, { inlineBytes: 1_000_000 });
      expect(opened[5]).toBeUndefined();
      for (const [i, bytes] of blobs.entries()) {
        const blob = opened[i] ?? expect.fail("not there");
        const content =
          blob instanceof Uint8Array ? blob : concatBytes(await collect(blob.stream()));
        expectSameBytes(content, bytes);
        content.fill(1);
      }
      await service.settled();
      expect(calls).toEqual([5]);
    }
    expectSameBytes(await readAll(near, digests[3] as B3Digest), blobs[3] as Uint8Array);
  });

  it("are refused when they are other blobs", async () => {
    const { near, digests, far, service } = await together();
    far.lies = true;
    const opened = service.openMany(digests, { inlineBytes: 1_000_000 });
    await expect(opened).rejects.toMatchObject({ code: "CORRUPT" });
    await service.settled();
    expect(await near.hasMany(digests)).toEqual(digests.map(() => false));
  });

  it("are filled in together", async () => {
    const inner = new MemoryBlobService();
    const near = Object.assign(methodsOf(inner), {
      fillMany: async (places: readonly unknown[]) => [...places.keys()],
    });
    const { digests, far, calls, service } = await together(near);
    let end = 0;
    const places = digests.map((digest, i) => {
      const { byteLength: length } = blobs[i] as Uint8Array;
      end += length;
      return { digest, offset: end - length, length };
    });
    const memory = new SharedArrayBuffer(end);
    expect(await service.fillMany?.(places, memory)).toEqual([4]);
    expect(calls).toEqual([4]);
    for (const [i, { offset, length }] of places.slice(0, 4).entries()) {
      expectSameBytes(new Uint8Array(memory, offset, length), blobs[i] as Uint8Array);
    }
    far.lies = true;
    expect(await service.fillMany?.(places, memory)).toEqual([0, 1, 2, 3, 4]);
    await service.settled();
  });
});

describe("CacheBlobService: a length that was expected", () => {
  /** A far that knows no lengths, as old servers: it believes what it is told. */
  function believing(): BlobService {
    const inner = new MemoryBlobService();
    return Object.assign(methodsOf(inner), {
      openRead: async (digest: B3Digest, options: { readonly expectedSize?: number } = {}) => {
        const reader = await inner.openRead(digest);
        return reader && { ...reader, size: options.expectedSize ?? reader.size };
      },
    });
  }

  it("is believed for one caller, and wrong for no other", async () => {
    const far = believing();
    const digest = await far.put([SMALL]);
    const service = new CacheBlobService(new MemoryBlobService(), far);
    const wrong = (await service.openRead(digest, { expectedSize: 4000 })) ?? expect.fail();
    expect(wrong.size).toBe(4000);
    await expect(collect(wrong.stream())).rejects.toMatchObject({ code: "CORRUPT" });
    const right = (await service.openRead(digest, { expectedSize: 5000 })) ?? expect.fail();
    expectSameBytes(concatBytes(await collect(right.stream())), SMALL);
    expectSameBytes(await readAll(service, digest), SMALL);
    await service.settled();
  });
});

describe("CacheBlobService: far is gone", () => {
  it("what is near can be read, the rest fails at once, and comes back", async () => {
    const { service, near, clock, faults } = await cached({ far: { failures: 2 } });
    const own = await near.put([seededBytes(5, 1000)]);
    await readAll(service, DIGEST, { offset: 0, length: 1 });
    faults.setAll("failing");
    expect((await readAll(service, own)).byteLength).toBe(1000);
    expect((await readAll(service, DIGEST, { offset: 0, length: 1 })).byteLength).toBe(1);
    for (let i = 0; i < 5; i++) {
      await expect(readAll(service, DIGEST)).rejects.toMatchObject(DOWN);
      await expect(service.openRead(NOWHERE)).rejects.toMatchObject(DOWN);
      await expect(service.has(NOWHERE)).rejects.toMatchObject(DOWN);
      await expect(service.hasMany([own, NOWHERE])).rejects.toMatchObject(DOWN);
      await expect(service.chunks(NOWHERE)).rejects.toMatchObject(DOWN);
    }
    expect(await service.hasMany([own])).toEqual([true]);
    faults.clear();
    faults.forget();
    await expect(service.has(NOWHERE)).rejects.toMatchObject(DOWN);
    expect(faults.calls).toEqual([]);
    clock.advance(1000);
    expect(await service.has(NOWHERE)).toBe(false);
    expectSameBytes(await readAll(service, DIGEST), LARGE);
  });

  it("does not wait for a far that hangs", async () => {
    const { service, clock, faults } = await cached();
    const reader = (await service.openRead(DIGEST)) ?? expect.fail("not there");
    faults.setBy(() => {
      queueMicrotask(() => clock.advance(1000));
      return "deaf";
    });
    await expect(collect(reader.stream({ length: 1 }))).rejects.toMatchObject(DOWN);
    await expect(service.openRead(NOWHERE)).rejects.toMatchObject(DOWN);
    expect(clock.pending).toBe(0);
  });

  it("remembers for a while what far does not have", async () => {
    const { service, far, clock, faults } = await cached({ missesForMs: 500 });
    const late = seededBytes(6, 100);
    const digest = blake3(late);
    expect(await service.openRead(digest)).toBeUndefined();
    await far.put([late]);
    faults.forget();
    expect([await service.has(digest), await service.chunks(digest)]).toEqual([false, undefined]);
    expect(faults.calls).toEqual([]);
    clock.advance(500);
    expectSameBytes(await readAll(service, digest), late);
  });
});

describe("CacheBlobService: far lies", () => {
  /** A far whose chunk list of LARGE is what `lie` makes of the right one. */
  async function lying(
    lie: (chunks: ChunkMeta[]) => ChunkMeta[],
    options: CacheBlobServiceOptions = {},
  ) {
    const setup = await cached();
    const right = (await setup.inner.chunks(DIGEST)) ?? [];
    const far = Object.assign(Object.create(setup.inner), {
      openRead: (digest: B3Digest) => setup.inner.openRead(digest),
      chunks: async () => lie([...right]),
    });
    return { near: setup.near, service: new CacheBlobService(setup.near, far, options), right };
  }

  async function expectRefused(service: BlobService): Promise<void> {
    const refused = { code: "CORRUPT" };
    await expect(readAll(service, DIGEST)).rejects.toMatchObject(refused);
  }

  it.each<[string, (chunks: ChunkMeta[]) => ChunkMeta[]]>([
    ["too few chunks", (all) => all.slice(1)],
    ["too many chunks", (all) => [...all, ...all.slice(0, 1)]],
    ["a chunk of no bytes", (all) => [...all, { digest: NOWHERE, size: 0 }]],
    ["another chunk", ([, ...all]) => [{ digest: NOWHERE, size: DIFFERENT }, ...all]],
  ])("a list with %s is refused", async (_label, lie) => {
    const { service, near } = await lying(lie);
    await expectRefused(service);
    await service.settled();
    expect(await near.has(DIGEST)).toBe(false);
  });

  const DIFFERENT = 1;

  it("a list that names a chunk of another blob, which near has, gives no wrong byte of a part", async () => {
    const { near, service, right } = await lying((all) => all);
    const [first, second] = right;
    expect([first, second]).not.toContain(undefined);
    const other = seededBytes(77, (first as ChunkMeta).size);
    const planted = { digest: await near.put([other]), size: other.byteLength };
    const liar = await lying(([, ...all]) => [planted, ...all]);
    await liar.near.put([other]);
    const range = { offset: 10, length: 100 };
    await expect(readAll(liar.service, DIGEST, range)).rejects.toMatchObject({ code: "CORRUPT" });
    await expectRefused(liar.service);
    expect(await liar.service.chunks(DIGEST, { proved: true })).toEqual([]);
    await liar.service.settled();
    expect(await liar.near.has(DIGEST)).toBe(false);
    await service.settled();
  });

  it("a list that replaces a wrong one gives none of its chunks, also while these are being stored", async () => {
    let store = (): void => {};
    const isStored = new Promise<void>((resolve) => {
      store = resolve;
    });
    class SlowNear extends MemoryBlobService {
      override async putMany(blobs: readonly Uint8Array[]): Promise<B3Digest[]> {
        await isStored;
        return super.putMany(blobs);
      }
    }
    const { inner, faults } = await cached();
    const chunks = (await inner.chunks(DIGEST)) ?? [];
    const [first, second, third] = chunks as [ChunkMeta, ChunkMeta, ChunkMeta];
    const size = first.size + second.size;
    const joined = { digest: blake3(LARGE.subarray(0, size)), size };
    const lists = [chunks, [joined, ...chunks.slice(2)]];
    inner.chunks = async () => lists.shift();
    const service = new CacheBlobService(new SlowNear(), new FaultyBlobService(inner, faults));
    const read = (offset: number, { size: length }: ChunkMeta) =>
      readAll(service, DIGEST, { offset, length });
    await read(first.size, second);
    faults.setAll("wrong-bytes");
    await expect(read(0, first)).rejects.toMatchObject({ code: "CORRUPT" });
    faults.clear();
    expectSameBytes(await read(size, third), LARGE.subarray(size, size + third.size));
    expect(lists).toEqual([]);
    store();
    await service.close();
  });

  it("chunks that are not proved are told to those who take them for that", async () => {
    const { service, inner } = await cached();
    await readAll(service, DIGEST, { length: 100 });
    expect(await service.chunks(DIGEST, { proved: true })).toEqual([]);
    expect(await service.chunks(DIGEST)).toEqual(await inner.chunks(DIGEST));
    const believing = (await cached({ trustsChunkLists: true })).service;
    const chunks = await believing.chunks(DIGEST, { proved: true });
    expect(chunks).toEqual(await inner.chunks(DIGEST));
  });

  it("never gives a wrong byte, whatever far does, and near is not poisoned", async () => {
    const random = new SeededRandom(11);
    const kinds: readonly Fault[] = [
      ...(["absent", "failing", "failing-late", "truncated", "wrong-bytes"] as const),
    ];
    const outcomes = { right: 0, failed: 0 };
    for (let round = 0; round < 40; round++) {
      const { service, near, faults, clock } = await cached({ missesForMs: 0 });
      faults.setSome(random, 4, kinds);
      for (let i = 0; i < 10; i++) {
        clock.advance(10_000);
        const offset = random.below(LARGE.byteLength);
        const range = { offset, length: random.below(200_000) };
        try {
          const reader = await service.openRead(DIGEST);
          if (reader === undefined) continue;
          const bytes = concatBytes(await collect(reader.stream(range)));
          expectSameBytes(bytes, LARGE.subarray(offset, offset + range.length));
          outcomes.right++;
        } catch (error) {
          if (!CastoreError.is(error)) throw error;
          outcomes.failed++;
        }
      }
      faults.clear();
      clock.advance(100_000);
      // What was opened while far lied goes on lying, and is found out once.
      const whole = await readAll(service, DIGEST).catch(() => readAll(service, DIGEST));
      expectSameBytes(whole, LARGE);
      await service.settled();
      expectSameBytes(await readAll(near, DIGEST), LARGE);
    }
    expect(outcomes.right).toBeGreaterThan(100);
    expect(outcomes.failed).toBeGreaterThan(50);
  });
});

describe("CacheBlobService: near fails", () => {
  async function faultyNear() {
    const inner = new MemoryBlobService();
    const nearFaults = new Faults();
    const near = new FaultyBlobService(inner, nearFaults);
    return { ...(await cached({}, near as unknown as MemoryBlobService)), inner, nearFaults };
  }

  it("reads go on when nothing can be stored", async () => {
    const { service, nearFaults, errors } = await faultyNear();
    nearFaults.setBy((call) => (call === "putMany" ? "failing" : undefined));
    expectSameBytes(await readAll(service, DIGEST), LARGE);
    expectSameBytes(await readAll(service, blake3(SMALL)), SMALL);
    await service.settled();
    expect(errors.length).toBeGreaterThan(0);
  });

  it("reads come from far when near fails before the first byte, and not after it", async () => {
    const { service, inner, nearFaults } = await faultyNear();
    await inner.put([LARGE]);
    nearFaults.setBy((call) => (call === "stream" ? "failing" : undefined));
    expectSameBytes(await readAll(service, DIGEST), LARGE);
    nearFaults.setBy((call) => (call === "openRead" ? "failing" : undefined));
    expectSameBytes(await readAll(service, DIGEST), LARGE);
    nearFaults.setBy((call) => (call === "stream" ? "failing-late" : undefined));
    await expect(readAll(service, DIGEST)).rejects.toMatchObject(DOWN);
  });

  it("a failure of near is no miss", async () => {
    const { service, nearFaults } = await faultyNear();
    nearFaults.setAll("failing");
    await expect(service.openRead(NOWHERE)).rejects.toMatchObject(DOWN);
  });
});

describe("CacheBlobService: writes through", () => {
  it("reach both, whole", async () => {
    const { service, near, inner, errors } = await cached({ writes: "through" });
    const bytes = seededBytes(8, 300_000);
    const source = new WatchedSource(piecesOf(bytes, 10_000));
    const digest = await service.put(source);
    expect([digest.equals(blake3(bytes)), source.opened]).toEqual([true, 1]);
    for (const store of [near, inner]) expectSameBytes(await readAll(store, digest), bytes);
    const [many] = await service.putMany([SMALL.subarray(1)]);
    for (const store of [near, inner]) expect(await store.has(many as B3Digest)).toBe(true);
    expect(errors).toEqual([]);
  });

  it("fail when far does, early or late, and close the source", async () => {
    for (const fault of ["failing", "failing-late"] as const) {
      const { service, faults } = await cached({ writes: "through" });
      faults.setAll(fault);
      const source = new WatchedSource(piecesOf(seededBytes(9, 300_000), 10_000));
      await expect(service.put(source)).rejects.toMatchObject(DOWN);
      expect(source.released || source.opened === 0).toBe(true);
    }
  });

  it("do not fail when near does", async () => {
    const near = Object.assign(new MemoryBlobService(), {
      put: () => Promise.reject(new CastoreError("STORAGE", "full")),
      putMany: () => Promise.reject(new CastoreError("STORAGE", "full")),
    });
    const { service, inner, errors } = await cached({ writes: "through" }, near);
    const bytes = seededBytes(10, 300_000);
    const digest = await service.put(piecesOf(bytes, 10_000));
    expectSameBytes(await readAll(inner, digest), bytes);
    await service.putMany([Uint8Array.of(1, 2, 3)]);
    expect(errors).toHaveLength(2);
  });

  it("has() answers for far, so that nothing is left out there", async () => {
    const { service, near } = await cached({ writes: "through" });
    const digest = await near.put([seededBytes(12, 10)]);
    expect([await service.has(digest), await service.hasMany([digest, DIGEST])]).toEqual([
      false,
      [false, true],
    ]);
    expect((await readAll(service, digest)).byteLength).toBe(10);
  });
});

describe("CacheBlobService over a LocalStore", () => {
  let directory: string | undefined;
  let close: () => Promise<void> = IDLE;

  afterEach(async () => {
    await close();
    close = IDLE;
    if (directory !== undefined) await rm(directory, { recursive: true });
    directory = undefined;
  });

  it("reads nothing from far again after a restart, and puts the blob together in the end", async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), "cache-blob-service-"));
    const far = new ChunkingBlobService(AVERAGE);
    await far.put([LARGE]);
    const faults = new Faults();
    const open = async () => {
      const store = await LocalStore.open(directory as string);
      const notes = store.derived("chunk lists");
      const service = new CacheBlobService(store.blobs, new FaultyBlobService(far, faults), {
        notes,
      });
      close = async () => {
        await service.close();
        await store.close();
      };
      return { service, store };
    };
    const range = { offset: 700_000, length: 4096 };
    const { service } = await open();
    await readAll(service, DIGEST, range);
    await close();
    faults.forget();
    const again = await open();
    expectSameBytes(await readAll(again.service, DIGEST, range), LARGE.subarray(700_000, 704_096));
    expect(faults.calls).toEqual([]);
    expectSameBytes(await readAll(again.service, DIGEST), LARGE);
    await again.service.settled();
    expect(await again.store.blobs.has(DIGEST)).toBe(true);
    const places = [{ digest: DIGEST, offset: 0, length: 3 }];
    expect(await again.service.fillMany?.(places, new SharedArrayBuffer(3))).toEqual([0]);
  });
});

/** The calls of a service, to be replaced one by one. */
function methodsOf(service: BlobService): BlobService {
  return {
    has: (digest, options) => service.has(digest, options),
    hasMany: (digests, options) => service.hasMany(digests, options),
    openRead: (digest, options) => service.openRead(digest, options),
    put: (source, options) => service.put(source, options),
    putMany: (blobs, options) => service.putMany(blobs, options),
    chunks: (digest, options) => service.chunks(digest, options),
  };
}

/** Bytes of the chunks that hold `start` to `end`. */
function touched(chunks: readonly ChunkMeta[], start: number, end: number): number {
  let at = 0;
  let sum = 0;
  for (const { size } of chunks) {
    if (at < end && at + size > start) sum += size;
    at += size;
  }
  return sum;
}
