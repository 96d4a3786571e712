import { describe, expect, it } from "vitest";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { CastoreError } from "../errors.js";
import type { Directory } from "../nodes/directory.js";
import { chain, directoryOf, NOWHERE } from "../testing/directory-builders.js";
import { directoryServiceSuite } from "../testing/directory-service-suite.js";
import { ManualClock } from "../testing/manual-clock.js";
import { ScriptedDirectoryService } from "../testing/scripted-directory-service.js";
import { SeededRandom } from "../testing/seeded-random.js";
import { collect, WatchedSource } from "../testing/sources.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { FallbackDirectoryService } from "./fallback-directory-service.js";
import type { GuardOptions, StoreMember } from "./guarded-store.js";
import { LimitedDirectoryService } from "./limited-directory-service.js";
import { RaceDirectoryService } from "./race-directory-service.js";

const DOWN = new CastoreError("UNAVAILABLE", "Cannot reach the store: the line is cut");

type Combine = (
  stores: readonly StoreMember<DirectoryService>[],
  options?: GuardOptions,
) => DirectoryService;

const COMBINED: readonly [string, Combine][] = [
  ["FallbackDirectoryService", (stores, options) => new FallbackDirectoryService(stores, options)],
  ["RaceDirectoryService", (stores, options) => new RaceDirectoryService(stores, options)],
];

function setUp(combine: Combine, count = 2, options: GuardOptions = {}) {
  const clock = new ManualClock();
  const memories = Array.from({ length: count }, () => new MemoryDirectoryService());
  const stores = memories.map((memory) => new ScriptedDirectoryService(memory));
  const service = combine(
    stores.map((store, i) => ({ service: store, name: `store ${i}` })),
    { clock, ...options },
  );
  const [first, second] = stores as [ScriptedDirectoryService, ScriptedDirectoryService];
  const [firstMemory, secondMemory] = memories as [MemoryDirectoryService, MemoryDirectoryService];
  return { service, stores, first, second, firstMemory, secondMemory, clock };
}

function failing(): never {
  throw DOWN;
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

for (const [name, combine] of COMBINED) {
  directoryServiceSuite(`${name} of a store and an empty one`, async () => ({
    service: setUp(combine).service,
  }));

  describe(name, () => {
    it("finds what any of the stores has", async () => {
      const { service, firstMemory, secondMemory } = setUp(combine);
      const here = await firstMemory.putMultiple(chain(2));
      const there = await secondMemory.putMultiple(chain(3));
      expect(await service.get(here)).toBeDefined();
      expect(await service.get(there)).toBeDefined();
      expect(await collect(service.getRecursive(here))).toHaveLength(2);
      expect(await collect(service.getRecursive(there))).toHaveLength(3);
    });

    it("finds what one has while the other fails", async () => {
      const { service, first, secondMemory } = setUp(combine);
      const root = await secondMemory.putMultiple(chain(3));
      first.before = failing;
      for (let i = 0; i < 5; i++) {
        expect(await service.get(root)).toBeDefined();
        expect(await collect(service.getRecursive(root))).toHaveLength(3);
      }
      // After some failures in a row it is left alone.
      expect(first.calls).toHaveLength(3);
    });

    it("does not say that there is nothing when one did not answer", async () => {
      const { service, second } = setUp(combine);
      second.before = failing;
      const message = new RegExp(`^Cannot read directory ${NOWHERE}: store 1: .*the line is cut`);
      await expect(service.get(NOWHERE)).rejects.toMatchObject({ code: "UNAVAILABLE", message });
      await expect(collect(service.getRecursive(NOWHERE))).rejects.toMatchObject({
        code: "UNAVAILABLE",
        message: expect.stringMatching(message),
      });
      second.before = () => {};
      expect(await service.get(NOWHERE)).toBeUndefined();
      expect(await collect(service.getRecursive(NOWHERE))).toEqual([]);
    });

    it("gives up a store that does not answer in time", async () => {
      const { service, first, secondMemory, clock } = setUp(combine, 2, { timeoutMs: 1000 });
      const root = await secondMemory.putMultiple(chain(2));
      first.before = () => new Promise(() => {});
      const reads = [service.get(root), collect(service.getRecursive(root))] as const;
      await settled();
      clock.advance(1000);
      expect(await reads[0]).toBeDefined();
      expect(await reads[1]).toHaveLength(2);
      expect(first.signals.every((signal) => signal?.aborted === true)).toBe(true);
      expect(clock.pending).toBe(0);
    });

    it("takes no other store once it has given something out", async () => {
      const { service, first, firstMemory, secondMemory } = setUp(combine);
      const root = await firstMemory.putMultiple(chain(3));
      first.before = (_, place) => {
        if (place === 1) throw DOWN;
      };
      const seen: Directory[] = [];
      const read = async (): Promise<void> => {
        for await (const directory of service.getRecursive(root)) seen.push(directory);
      };
      await expect(read()).rejects.toBe(DOWN);
      expect(seen).toHaveLength(1);
      await secondMemory.putMultiple(chain(3));
    });

    it("passes an abort on, at once, and does not count it as a failure", async () => {
      const { service, first, firstMemory } = setUp(combine);
      const root = await firstMemory.putMultiple(chain(3));
      const reason = new Error("enough");
      for (let i = 0; i < 5; i++) {
        first.before = () => new Promise(() => {});
        const controller = new AbortController();
        const { signal } = controller;
        const get = service.get(root, { signal });
        const read = collect(service.getRecursive(root, { signal }));
        await settled();
        controller.abort(reason);
        await expect(get).rejects.toBe(reason);
        await expect(read).rejects.toBe(reason);
      }
      expect(first.signals.every((signal) => signal?.aborted === true)).toBe(true);
      first.before = () => {};
      expect(await service.get(root)).toBeDefined();
    });

    it("puts into the first store that takes it", async () => {
      const { service, first, second, firstMemory, secondMemory } = setUp(combine);
      const root = await service.putMultiple(chain(2));
      expect(await firstMemory.get(root)).toBeDefined();
      expect(second.calls).toEqual([]);
      first.before = failing;
      const other = await service.putMultiple(new WatchedSource(chain(3, 2)));
      expect(await secondMemory.get(other)).toBeDefined();
      const alone = await service.put(directoryOf({}));
      expect(await secondMemory.get(alone)).toBeDefined();
      second.before = failing;
      const source = new WatchedSource(chain(4));
      await expect(service.putMultiple(source)).rejects.toMatchObject({ code: "UNAVAILABLE" });
      expect([source.pulled, source.released]).toEqual([0, true]);
    });

    it("asks no other store once a source has been read", async () => {
      const { service, first, second } = setUp(combine);
      first.putMultiple = async (directories) => {
        for await (const _ of directories) throw DOWN;
        throw new Error("not reached");
      };
      const source = new WatchedSource(chain(3));
      await expect(service.putMultiple(source)).rejects.toBe(DOWN);
      expect(second.calls).toEqual([]);
      expect([source.opened, source.released]).toEqual([1, true]);
    });

    it("gives what is right or fails, whatever the stores do", async () => {
      for (let seed = 1; seed <= 40; seed++) await faultyRun(combine, seed);
    });
  });
}

/** Random reads of three stores that fail; the third has everything. */
async function faultyRun(combine: Combine, seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const { service, stores, firstMemory, secondMemory } = setUp(combine, 3, { failures: 1000 });
  const closures = [chain(3), chain(5, 2), [directoryOf({})]];
  const roots: B3Digest[] = [];
  for (const [i, closure] of closures.entries()) {
    roots.push(await (i % 2 === 0 ? firstMemory : secondMemory).putMultiple(closure));
  }
  for (const store of stores) {
    store.before = () => {
      if (random.below(4) === 0) throw DOWN;
    };
  }
  for (let round = 0; round < 40; round++) {
    const i = random.below(roots.length);
    const root = roots[i] as B3Digest;
    try {
      if (random.below(2) === 0) {
        const directory = await service.get(root);
        expect(directory && directoryDigest(directory).key).toBe(root.key);
      } else {
        const all = await collect(service.getRecursive(root));
        expect(all).toHaveLength((closures[i] as Directory[]).length);
      }
    } catch (error) {
      if (!CastoreError.is(error, "UNAVAILABLE")) throw error;
    }
  }
}

describe("RaceDirectoryService", () => {
  const [, combine] = COMBINED[1] as (typeof COMBINED)[number];

  it("takes the fastest, and cancels the others", async () => {
    const { service, first, firstMemory, secondMemory } = setUp(combine);
    const root = await firstMemory.putMultiple(chain(2));
    await secondMemory.putMultiple(chain(2));
    first.before = () => new Promise(() => {});
    expect(await service.get(root)).toBeDefined();
    expect(await collect(service.getRecursive(root))).toHaveLength(2);
    expect(first.signals.map((signal) => signal?.aborted)).toEqual([true, true]);
  });

  it("closes all streams when its reader leaves", async () => {
    const { service, first, second, firstMemory, secondMemory } = setUp(combine);
    const root = await firstMemory.putMultiple(chain(50));
    await secondMemory.putMultiple(chain(50));
    for await (const _ of service.getRecursive(root)) break;
    await settled();
    expect(first.streamed + second.streamed).toBeLessThan(10);
    const signals = [...first.signals, ...second.signals];
    expect(signals.every((signal) => signal?.aborted === true)).toBe(true);
  });
});

directoryServiceSuite("limited(memory)", async () => ({
  service: new LimitedDirectoryService(new MemoryDirectoryService(), { maxCalls: 1 }),
}));

describe("LimitedDirectoryService", () => {
  it("lets so many calls through at a time", async () => {
    const inner = new ScriptedDirectoryService(new MemoryDirectoryService());
    const root = await inner.put(directoryOf({}));
    let running = 0;
    let most = 0;
    inner.before = async () => {
      most = Math.max(most, ++running);
      await settled();
      running--;
    };
    const service = new LimitedDirectoryService(inner, { maxCalls: 3 });
    const gets = Array.from({ length: 10 }, () => service.get(root));
    const streams = Array.from({ length: 5 }, () => collect(service.getRecursive(root)));
    await Promise.all([...gets, ...streams]);
    expect(most).toBe(3);
  });

  it("does not wait for a reader that asks for more in between", async () => {
    const inner = new MemoryDirectoryService();
    const root = await inner.putMultiple(chain(3));
    const service = new LimitedDirectoryService(inner, { maxCalls: 1 });
    for await (const directory of service.getRecursive(root)) {
      expect(await service.get(directoryDigest(directory))).toBeDefined();
    }
  });

  it("lets go of a place in the queue when it is aborted", async () => {
    const inner = new ScriptedDirectoryService(new MemoryDirectoryService());
    inner.before = () => new Promise(() => {});
    const service = new LimitedDirectoryService(inner, { maxCalls: 1 });
    const [holds, waits] = [new AbortController(), new AbortController()];
    service.get(NOWHERE, { signal: holds.signal }).catch(() => {});
    const waiting = service.get(NOWHERE, { signal: waits.signal });
    await settled();
    const reason = new Error("enough");
    waits.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(inner.calls).toHaveLength(1);
  });
});
