import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toLatin1 } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { CastoreError } from "../errors.js";
import { LocalStore } from "../localstore/local-store.js";
import type { Directory } from "../nodes/directory.js";
import { directoryNode, fileNode } from "../nodes/node.js";
import { chain, directoryOf, NOWHERE, nodeOf } from "../testing/directory-builders.js";
import { directoryServiceSuite } from "../testing/directory-service-suite.js";
import { EMPTY_DIGEST } from "../testing/fixtures.js";
import { ManualClock } from "../testing/manual-clock.js";
import { ScriptedDirectoryService } from "../testing/scripted-directory-service.js";
import { SeededRandom } from "../testing/seeded-random.js";
import { collect, WatchedSource } from "../testing/sources.js";
import { walkClosure } from "../traversal/walk.js";
import { directoryDigest } from "../wire/directory-digest.js";
import {
  CacheDirectoryService,
  type CacheDirectoryServiceOptions,
} from "./cache-directory-service.js";
import type { CacheNote, CacheNotes } from "./cache-notes.js";

const DOWN = new CastoreError("UNAVAILABLE", "Cannot reach far: the line is cut");

class MemoryNotes implements CacheNotes {
  readonly notes = new Map<string, Uint8Array>();
  /** What the next writes fail with. */
  readonly failures: Error[] = [];

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.notes.get(toLatin1(key));
  }

  async putMany(notes: readonly CacheNote[]): Promise<void> {
    const failure = this.failures.pop();
    if (failure !== undefined) throw failure;
    for (const { key, value } of notes) this.notes.set(toLatin1(key), value);
  }
}

function setUp(options: CacheDirectoryServiceOptions = {}) {
  const nearStore = new MemoryDirectoryService();
  const farStore = new MemoryDirectoryService();
  const near = new ScriptedDirectoryService(nearStore);
  const far = new ScriptedDirectoryService(farStore);
  const clock = new ManualClock();
  const failures: unknown[] = [];
  const cache = new CacheDirectoryService(near, far, {
    onFillError: (error) => failures.push(error),
    clock,
    ...options,
  });
  return { cache, near, far, nearStore, farStore, clock, failures };
}

/** A tree in which every Directory has `width` others, `depth` levels deep; leaves first, all different. */
function tree(width: number, depth: number, number = { next: 0 }): Directory[] {
  if (depth === 0) return [directoryOf({ f: fileNode(EMPTY_DIGEST, BigInt(number.next++)) })];
  const below: Directory[] = [];
  const entries: [string, ReturnType<typeof nodeOf>][] = [];
  for (let i = 0; i < width; i++) {
    const child = tree(width, depth - 1, number);
    below.push(...child);
    entries.push([`d${i}`, nodeOf(child.at(-1) as Directory)]);
  }
  return [...below, directoryOf(Object.fromEntries(entries))];
}

/** Depth first, as `find` does; how many Directories there were. */
async function find(cache: CacheDirectoryService, root: B3Digest): Promise<number> {
  let count = 0;
  const open = [root];
  for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
    const directory = await cache.get(digest);
    if (directory === undefined) expect.fail(`${digest} is not there`);
    count++;
    for (const { node } of directory.entries) if (node.type === "directory") open.push(node.digest);
  }
  return count;
}

async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}

directoryServiceSuite("cache(memory, memory)", async () => ({ service: setUp().cache }));

directoryServiceSuite("cache(memory, memory), writes through, with notes", async () => ({
  service: setUp({ writes: "through", notes: new MemoryNotes() }).cache,
}));

directoryServiceSuite("cache(local, memory)", async () => {
  const directory = await mkdtemp(join(tmpdir(), "tvix-cache-"));
  const far = new MemoryDirectoryService();
  let local = await LocalStore.open(directory);
  const open = () =>
    new CacheDirectoryService(local.directories, far, { notes: local.derived("far") });
  let cache = open();
  const close = async () => {
    await cache.close();
    await local.close();
  };
  return {
    service: cache,
    reopen: async () => {
      await close();
      local = await LocalStore.open(directory);
      cache = open();
      return cache;
    },
    close: async () => {
      await close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});

describe("CacheDirectoryService", () => {
  describe("get()", () => {
    it("takes one call for a miss, and is answered before the rest has come", async () => {
      const { cache, far, farStore } = setUp();
      const root = await farStore.putMultiple(chain(5));
      far.before = (_, place) => (place === 0 ? undefined : new Promise(() => {}));
      expect(await cache.get(root)).toBeDefined();
      expect(far.calls).toEqual(["getRecursive"]);
      await cache.close();
    });

    it("asks far once for what many ask for at a time", async () => {
      const { cache, far, farStore } = setUp();
      const root = await farStore.putMultiple(chain(2));
      await Promise.all(Array.from({ length: 20 }, () => cache.get(root)));
      expect(far.calls).toEqual(["getRecursive"]);
    });

    it("asks far for nothing that it has got", async () => {
      for (const notes of [undefined, new MemoryNotes()]) {
        const { cache, far, farStore } = setUp(notes && { notes });
        const directories = chain(20);
        const root = await farStore.putMultiple(directories);
        expect(await find(cache, root)).toBe(20);
        expect(await find(cache, root)).toBe(20);
        expect(far.calls).toEqual(["getRecursive"]);
      }
    });

    it("needs few calls for a walk through a large tree", async () => {
      const { cache, far, farStore } = setUp();
      const directories = tree(6, 4);
      const root = await farStore.putMultiple(directories);
      expect(await find(cache, root)).toBe(directories.length);
      expect(directories.length).toBe(1555);
      expect(far.calls).toEqual(["getRecursive"]);
    });

    it("does not get far ahead of a single look", async () => {
      const { cache, far, farStore, clock } = setUp();
      const root = await farStore.putMultiple(tree(9, 4));
      await cache.get(root);
      await settled();
      expect(far.streamed).toBeLessThan(300);
      clock.advance(10_000);
      await settled();
      expect(far.signals[0]?.aborted).toBe(true);
      expect(clock.pending).toBe(0);
    });

    it("asks by itself for what is slow to come with the rest", async () => {
      const { cache, far, farStore, clock } = setUp();
      const directories = chain(4);
      const root = await farStore.putMultiple(directories);
      far.before = (call, place) =>
        call === "getRecursive" && place > 1 ? new Promise(() => {}) : undefined;
      await cache.get(root);
      await settled();
      const leaf = cache.get(directoryDigest(directories[1] as Directory));
      await settled();
      expect(far.calls).toEqual(["getRecursive"]);
      clock.advance(1000);
      expect(await leaf).toBeDefined();
      expect(far.calls).toEqual(["getRecursive", "get"]);
      await cache.close();
    });

    it("takes no more than its limits allow at once", async () => {
      const { cache, far, farStore } = setUp({ prefetch: { maxDirectories: 3 } });
      const directories = chain(10);
      const root = await farStore.putMultiple(directories);
      expect(await find(cache, root)).toBe(10);
      expect(far.calls).toEqual(new Array(4).fill("getRecursive"));
    });

    it("asks one by one where nothing is to be fetched ahead", async () => {
      const { cache, far, farStore } = setUp({ prefetch: false });
      const root = await farStore.putMultiple(chain(3));
      expect(await find(cache, root)).toBe(3);
      expect(far.calls).toEqual(["get", "get", "get"]);
    });

    it("remembers for a while that far does not have it", async () => {
      const { cache, far, clock } = setUp({ missesForMs: 1000 });
      expect(await cache.get(NOWHERE)).toBeUndefined();
      expect(await cache.get(NOWHERE)).toBeUndefined();
      expect(await collect(cache.getRecursive(NOWHERE))).toEqual([]);
      expect(far.calls).toHaveLength(1);
      clock.advance(1000);
      expect(await cache.get(NOWHERE)).toBeUndefined();
      expect(far.calls).toHaveLength(2);
    });

    it("fails when far does, and remembers nothing of that", async () => {
      const { cache, far, farStore } = setUp();
      const root = await farStore.putMultiple(chain(2));
      far.before = () => {
        throw DOWN;
      };
      await expect(cache.get(root)).rejects.toBe(DOWN);
      far.before = () => {};
      expect(await cache.get(root)).toBeDefined();
    });

    it("leaves a far alone that fails again and again, and tries again later", async () => {
      const { cache, far, farStore, clock } = setUp({ far: { name: "the server", failures: 2 } });
      const root = await farStore.putMultiple(chain(2));
      far.before = () => {
        throw DOWN;
      };
      for (let i = 0; i < 2; i++) await expect(cache.get(root)).rejects.toBe(DOWN);
      await expect(cache.get(root)).rejects.toThrow(/Cannot reach the server: it has failed/);
      await expect(collect(cache.getRecursive(root))).rejects.toThrow(/it has failed/);
      expect(far.calls).toHaveLength(2);
      far.before = () => {};
      clock.advance(1000);
      expect(await cache.get(root)).toBeDefined();
    });

    it("gives up a far that does not answer in time", async () => {
      const { cache, far, farStore, clock } = setUp({ far: { timeoutMs: 100 } });
      const root = await farStore.putMultiple(chain(2));
      far.before = () => new Promise(() => {});
      const reads = [cache.get(root), collect(cache.getRecursive(root))];
      await settled();
      clock.advance(100);
      for (const read of reads) await expect(read).rejects.toMatchObject({ code: "UNAVAILABLE" });
      expect(far.signals.every((signal) => signal?.aborted === true)).toBe(true);
    });

    it("asks far where near fails, and does not say that there is nothing when near may have it", async () => {
      const { cache, near, farStore } = setUp();
      const root = await farStore.putMultiple(chain(2));
      const damaged = new CastoreError("CORRUPT", "Cannot read: damaged");
      near.before = (call) => {
        if (call !== "putMultiple") throw damaged;
      };
      expect(await cache.get(root)).toBeDefined();
      await expect(cache.get(NOWHERE)).rejects.toBe(damaged);
      await expect(cache.get(NOWHERE)).rejects.toBe(damaged);
      await expect(collect(cache.getRecursive(NOWHERE))).rejects.toBe(damaged);
    });

    it.each([false, true])("refuses what far makes up (fetching ahead: %s)", async (ahead) => {
      const { cache, far, farStore } = setUp(ahead ? {} : { prefetch: false });
      const root = await farStore.putMultiple(chain(2));
      far.change = () => directoryOf({ lie: fileNode(EMPTY_DIGEST, 1n) });
      await expect(cache.get(root)).rejects.toMatchObject({ code: "CORRUPT" });
    });

    it("aborts the call of far when nobody waits any more, and not before", async () => {
      const { cache, far, farStore } = setUp();
      const root = await farStore.putMultiple(chain(2));
      far.before = () => new Promise(() => {});
      const reason = new Error("enough");
      const controllers = [new AbortController(), new AbortController()];
      const gets = controllers.map(({ signal }) => cache.get(root, { signal }));
      await settled();
      controllers[0]?.abort(reason);
      await expect(gets[0]).rejects.toBe(reason);
      expect(far.signals[0]?.aborted).toBe(false);
      controllers[1]?.abort(reason);
      await expect(gets[1]).rejects.toBe(reason);
      expect(far.signals[0]?.aborted).toBe(true);
      far.before = () => {};
      expect(await cache.get(root)).toBeDefined();
    });

    it("goes on with what is under way for others when the first is gone", async () => {
      const { cache, far, farStore } = setUp();
      const directories = chain(3);
      const root = await farStore.putMultiple(directories);
      const controller = new AbortController();
      await cache.get(root, { signal: controller.signal });
      controller.abort();
      expect(await find(cache, root)).toBe(3);
      expect(far.calls).toEqual(["getRecursive"]);
    });

    it("lets go of a walk that nobody follows when there are many", async () => {
      const { cache, far, farStore } = setUp();
      const roots: B3Digest[] = [];
      for (let i = 0; i < 12; i++) {
        roots.push(await farStore.putMultiple(tree(9, 3, { next: 10_000 * i })));
      }
      for (const root of roots) {
        await cache.get(root);
        await settled();
      }
      expect(far.calls).toEqual(new Array(12).fill("getRecursive"));
      await settled();
      expect(far.signals.filter((signal) => signal?.aborted === true)).toHaveLength(4);
      await cache.close();
      expect(far.signals.every((signal) => signal?.aborted === true)).toBe(true);
    });
  });

  describe("getRecursive()", () => {
    it("fills near with the closure", async () => {
      const { cache, far, farStore, nearStore } = setUp();
      const directories = tree(3, 3);
      const root = await farStore.putMultiple(directories);
      expect(await collect(cache.getRecursive(root))).toHaveLength(directories.length);
      expect(await collect(nearStore.getRecursive(root))).toHaveLength(directories.length);
      far.before = () => {
        throw DOWN;
      };
      expect(await collect(cache.getRecursive(root))).toHaveLength(directories.length);
    });

    it("keeps the closure in notes, and leaves near alone", async () => {
      const notes = new MemoryNotes();
      const { cache, far, farStore, near } = setUp({ notes });
      const directories = tree(3, 3);
      const root = await farStore.putMultiple(directories);
      const first = await collect(cache.getRecursive(root));
      far.before = () => {
        throw DOWN;
      };
      const ids = (all: readonly Directory[]) => all.map((item) => directoryDigest(item).toHex());
      expect(ids(await collect(cache.getRecursive(root)))).toEqual(ids(first));
      expect(near.calls).not.toContain("put");
      expect(near.calls).not.toContain("putMultiple");
    });

    it("is an error when far leaves something out", async () => {
      const notes = new MemoryNotes();
      const { cache, far, farStore } = setUp({ notes });
      const directories = chain(4);
      const root = await farStore.putMultiple(directories);
      const leaf = directoryDigest(directories[0] as Directory);
      far.change = (directory) =>
        directory !== undefined && directoryDigest(directory).equals(leaf) ? undefined : directory;
      await expect(collect(cache.getRecursive(root))).rejects.toMatchObject({
        reason: "incomplete",
      });
      far.change = (directory) => directory;
      expect(await collect(cache.getRecursive(root))).toHaveLength(4);
    });

    it("reads what is here where far cannot be reached", async () => {
      const notes = new MemoryNotes();
      const { cache, far, farStore } = setUp({ notes });
      const directories = chain(4);
      const root = await farStore.putMultiple(directories);
      far.before = (call) => {
        if (call === "getRecursive") throw DOWN;
      };
      for (const directory of directories) {
        await cache.get(directoryDigest(directory)).catch(() => {});
      }
      far.before = () => {};
      const one = setUp({ notes, prefetch: false });
      await one.farStore.putMultiple(directories);
      expect(await find(one.cache, root)).toBe(4);
      one.far.before = () => {
        throw DOWN;
      };
      expect(await collect(one.cache.getRecursive(root))).toHaveLength(4);
      const other = await farStore.putMultiple(chain(6));
      await expect(collect(one.cache.getRecursive(other))).rejects.toBe(DOWN);
    });

    it("closes a gap of near, without giving anything twice", async () => {
      const { cache, near, farStore, nearStore } = setUp();
      const directories = tree(4, 2);
      const root = await farStore.putMultiple(directories);
      await nearStore.putMultiple(directories);
      near.before = (call, place) => {
        if (place === 7) throw new CastoreError("MISSING_REFERENCE", "Cannot walk: a gap");
        if (call === "get") throw new CastoreError("CORRUPT", "Cannot read: damaged");
      };
      const given = await collect(cache.getRecursive(root));
      const keys = new Set(given.map((directory) => directoryDigest(directory).key));
      expect([given.length, keys.size]).toEqual([directories.length, directories.length]);
    });

    it("says nothing of what it got when its reader leaves", async () => {
      const notes = new MemoryNotes();
      const { cache, farStore } = setUp({ notes });
      const root = await farStore.putMultiple(chain(4));
      for await (const _ of cache.getRecursive(root)) break;
      await cache.close();
      expect(notes.notes.size).toBe(1);
    });
  });

  describe("notes", () => {
    it("are read again after a restart, and without far", async () => {
      const directory = await mkdtemp(join(tmpdir(), "tvix-cache-"));
      const { far, farStore } = setUp();
      const root = await farStore.putMultiple(tree(3, 3));
      const touched = await farStore.put(directoryOf({ other: fileNode(EMPTY_DIGEST, 7n) }));
      const inSession = async (work: (cache: CacheDirectoryService) => Promise<void>) => {
        const local = await LocalStore.open(directory);
        const notes = local.derived("far-directories");
        const cache = new CacheDirectoryService(local.directories, far, { notes });
        await work(cache);
        await cache.close();
        expect((await local.stats()).directories).toBe(0);
        await local.close();
      };
      await inSession(async (cache) => {
        expect(await cache.get(touched)).toBeDefined();
        expect(await collect(cache.getRecursive(root))).toHaveLength(40);
      });
      far.before = () => {
        throw DOWN;
      };
      await inSession(async (cache) => {
        expect(await cache.get(touched)).toBeDefined();
        expect(await find(cache, root)).toBe(40);
        expect(await collect(cache.getRecursive(root))).toHaveLength(40);
      });
      await rm(directory, { recursive: true });
    });

    it("that are damaged are fetched again", async () => {
      const notes = new MemoryNotes();
      const { cache, farStore } = setUp({ notes });
      const root = await farStore.putMultiple(chain(2));
      await collect(cache.getRecursive(root));
      for (const [key, value] of notes.notes) notes.notes.set(key, value.subarray(1));
      expect(await find(cache, root)).toBe(2);
      expect(await collect(cache.getRecursive(root))).toHaveLength(2);
    });

    it("that cannot be written fail no read, and no closure is taken for whole", async () => {
      const notes = new MemoryNotes();
      const { cache, far, farStore, failures } = setUp({ notes });
      const root = await farStore.putMultiple(chain(3));
      notes.failures.push(new Error("disk full"));
      expect(await collect(cache.getRecursive(root))).toHaveLength(3);
      await cache.close();
      expect(failures).toEqual([new Error("disk full")]);
      // Some were written, and nothing that says that this is all.
      expect([...notes.notes.keys()].map((key) => key.length)).not.toContain(33);
      expect(await collect(cache.getRecursive(root))).toHaveLength(3);
      expect([...notes.notes.keys()].map((key) => key.length)).toContain(33);
      expect(far.calls).toEqual(["getRecursive", "getRecursive"]);
    });
  });

  describe("writes", () => {
    it("go to near alone unless told otherwise", async () => {
      const { cache, far, nearStore } = setUp();
      const root = await cache.putMultiple(chain(3));
      expect(await collect(nearStore.getRecursive(root))).toHaveLength(3);
      expect(far.calls).toEqual([]);
    });

    it("bring along what only far has of a Directory", async () => {
      const { cache, farStore, nearStore } = setUp();
      const below = chain(3);
      await farStore.putMultiple(below);
      const parent = directoryOf({ below: nodeOf(below.at(-1) as Directory) });
      const root = await cache.put(parent);
      expect(await collect(nearStore.getRecursive(root))).toHaveLength(4);
      const orphan = directoryOf({ gone: directoryNode(NOWHERE, 1n) });
      await expect(cache.put(orphan)).rejects.toMatchObject({ code: "MISSING_REFERENCE" });
    });

    it("go through to both, from a source that can be read once", async () => {
      const { cache, farStore, nearStore } = setUp({ writes: "through" });
      const source = new WatchedSource(chain(5));
      const root = await cache.putMultiple(source);
      expect(source.opened).toBe(1);
      for (const store of [farStore, nearStore]) {
        expect(await collect(store.getRecursive(root))).toHaveLength(5);
      }
    });

    it("leave near alone when far refuses, and do not fail when near does", async () => {
      const { cache, far, near, nearStore, farStore, failures } = setUp({ writes: "through" });
      far.before = () => {
        throw DOWN;
      };
      await expect(cache.putMultiple(chain(3))).rejects.toBe(DOWN);
      expect(near.calls).toEqual([]);
      far.before = () => {};
      near.before = () => {
        throw DOWN;
      };
      const root = await cache.putMultiple(chain(3));
      expect(failures).toEqual([DOWN]);
      expect(await nearStore.get(root)).toBeUndefined();
      expect(await farStore.get(root)).toBeDefined();
    });

    it.each(["near", "through"] as const)("are seen at once where they go %s", async (writes) => {
      const { cache, near, nearStore } = setUp({ writes });
      const directories = chain(2);
      const digests = directories.map((directory) => directoryDigest(directory));
      for (const digest of digests) expect(await cache.get(digest)).toBeUndefined();
      if (writes === "through") {
        near.before = (call) => {
          if (call === "putMultiple") throw DOWN;
        };
      }
      await cache.putMultiple(directories);
      for (const digest of digests) expect(await cache.get(digest)).toBeDefined();
      expect((await nearStore.get(digests[0] as B3Digest)) === undefined).toBe(
        writes === "through",
      );
    });
  });

  it("gives what is right or fails, whatever far does", async () => {
    for (let seed = 1; seed <= 30; seed++) await faultyRun(seed);
  });
});

/** Random calls over a far store that fails, leaves out and makes up. */
async function faultyRun(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const notes = random.below(2) === 0 ? { notes: new MemoryNotes() } : {};
  const ahead = random.below(3) === 0 ? { prefetch: { maxDirectories: 1 + random.below(20) } } : {};
  const { cache, far, farStore } = setUp({
    ...notes,
    ...ahead,
    missesForMs: 0,
    far: { failures: 1000 },
  });
  const closures = [chain(6, 2), tree(3, 3), tree(2, 4, { next: 500 })];
  for (const closure of closures) await farStore.putMultiple(closure);
  const honest = Array.from(closures.flat(), (directory) => directoryDigest(directory));
  const lie = directoryOf({ lie: fileNode(EMPTY_DIGEST, BigInt(seed)) });
  let isUp = false;
  far.before = () => {
    if (!isUp && random.below(12) === 0) throw DOWN;
  };
  far.change = (directory) => {
    const chance = isUp ? 0 : random.below(40);
    return chance === 1 ? undefined : chance === 2 ? lie : directory;
  };
  const check = async (digest: B3Digest): Promise<void> => {
    if (random.below(2) === 0) {
      const directory = await cache.get(digest);
      // Far says that it does not have a Directory when it leaves one out.
      if (directory !== undefined) expect(directoryDigest(directory).key).toBe(digest.key);
      else expect(isUp).toBe(false);
      return;
    }
    const expected = await collect(walkClosure((d) => farStore.get(d), digest));
    const actual = await collect(cache.getRecursive(digest));
    const keys = (all: readonly Directory[]) => all.map((item) => directoryDigest(item).key);
    if (isUp || actual.length > 0) expect(keys(actual)).toEqual(keys(expected));
  };
  for (let round = 0; round < 30; round++) {
    const calls = Array.from({ length: 1 + random.below(4) }, () => check(random.pick(honest)));
    for (const result of await Promise.allSettled(calls)) {
      if (result.status === "rejected" && !CastoreError.is(result.reason)) throw result.reason;
    }
  }
  isUp = true;
  for (const digest of honest) await check(digest);
  await cache.close();
}
