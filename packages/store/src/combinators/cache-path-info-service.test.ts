import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CacheNote, type CacheNotes, toLatin1 } from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import { collect, ManualClock, SeededRandom } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { StoreError } from "../errors.js";
import type { PathInfo } from "../path-info.js";
import { LocalPathInfoService } from "../pathinfoservice/local.js";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import { Signature } from "../signature/signature.js";
import { digestOf, pathInfoOf } from "../testing/path-info-fixtures.js";
import { pathInfoServiceSuite } from "../testing/path-info-service-suite.js";
import { ScriptedPathInfoService } from "../testing/scripted-path-info-service.js";
import {
  CachePathInfoService,
  type CachePathInfoServiceOptions,
} from "./cache-path-info-service.js";

const DOWN = new StoreError("UNAVAILABLE", "Cannot reach far: the line is cut");
const SIGNED = ["a", "b"].map((name, i) => Signature.of(name, new Uint8Array(64).fill(i)));
const [ONE, TWO] = SIGNED as [Signature, Signature];

class MemoryNotes implements CacheNotes {
  readonly notes = new Map<string, Uint8Array>();

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.notes.get(toLatin1(key));
  }

  async putMany(notes: readonly CacheNote[]): Promise<void> {
    for (const { key, value } of notes) this.notes.set(toLatin1(key), value);
  }
}

function setUp(options: CachePathInfoServiceOptions = {}) {
  const nearStore = new MemoryPathInfoService();
  const farStore = new MemoryPathInfoService();
  const near = new ScriptedPathInfoService(nearStore);
  const far = new ScriptedPathInfoService(farStore);
  const clock = new ManualClock();
  const failures: unknown[] = [];
  const onFillError = (error: unknown) => void failures.push(error);
  const cache = new CachePathInfoService(near, far, { onFillError, clock, ...options });
  return { cache, near, far, nearStore, farStore, clock, failures };
}

function names(pathInfo: PathInfo | undefined): string[] | undefined {
  return pathInfo?.signatures.map(({ keyName }) => keyName);
}

function failing(): never {
  throw DOWN;
}

const NO_ROOT_CHECK = { noRootCheck: { reason: "the stores in memory do not check roots" } };

pathInfoServiceSuite(
  "cache(memory, memory)",
  async () => ({ service: setUp().cache }),
  NO_ROOT_CHECK,
);

pathInfoServiceSuite(
  "cache(memory, memory), writes through",
  async () => ({ service: setUp({ writes: "through" }).cache }),
  NO_ROOT_CHECK,
);

pathInfoServiceSuite("cache(local, memory), with notes", async () => {
  const directory = await mkdtemp(join(tmpdir(), "tvix-cache-"));
  const far = new MemoryPathInfoService();
  const open = async () => {
    const local = await LocalStore.open(directory);
    const notes = local.derived("far-path-infos");
    const cache = new CachePathInfoService(LocalPathInfoService.of(local), far, { notes });
    const close = async () => {
      await cache.close();
      await local.close();
    };
    return { local, cache, close };
  };
  let opened = await open();
  return {
    service: opened.cache,
    roots: opened.local,
    reopen: async () => {
      await opened.close();
      opened = await open();
      return opened.cache;
    },
    close: async () => {
      await opened.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});

describe("CachePathInfoService", () => {
  describe("get()", () => {
    it.each([false, true])("asks far once (notes: %s)", async (withNotes) => {
      const { cache, far, farStore } = setUp(withNotes ? { notes: new MemoryNotes() } : {});
      await farStore.put(pathInfoOf(digestOf(1)));
      const gets = Array.from({ length: 20 }, () => cache.get(digestOf(1)));
      for (const pathInfo of await Promise.all(gets)) expect(pathInfo).toBeDefined();
      expect(await cache.get(digestOf(1))).toBeDefined();
      expect(far.calls).toEqual(["get"]);
    });

    it("leaves near alone where there are notes, which outlive the process", async () => {
      const directory = await mkdtemp(join(tmpdir(), "tvix-cache-"));
      const { far, farStore } = setUp();
      await farStore.put(pathInfoOf(digestOf(1), { signatures: [ONE] }));
      for (const before of [() => {}, failing]) {
        far.before = before;
        const local = await LocalStore.open(directory);
        const notes = local.derived("far-path-infos");
        const cache = new CachePathInfoService(LocalPathInfoService.of(local), far, { notes });
        expect(names(await cache.get(digestOf(1)))).toEqual(["a"]);
        await cache.close();
        expect((await local.stats()).pathInfos).toBe(0);
        await local.close();
      }
      await rm(directory, { recursive: true });
    });

    it("fetches again what is damaged in notes", async () => {
      const notes = new MemoryNotes();
      const { cache, far, farStore } = setUp({ notes });
      await farStore.put(pathInfoOf(digestOf(1)));
      await farStore.put(pathInfoOf(digestOf(2)));
      await cache.get(digestOf(1));
      await cache.get(digestOf(2));
      await cache.close();
      const [one, two] = [...notes.notes.keys()] as [string, string];
      notes.notes.set(one, notes.notes.get(two) as Uint8Array);
      notes.notes.set(two, Uint8Array.of(1, 2, 3));
      for (const first of [1, 2]) {
        const pathInfo = await cache.get(digestOf(first));
        expect(pathInfo?.storePath.digestBytes()).toEqual(digestOf(first));
      }
      expect(far.calls).toHaveLength(4);
    });

    it("remembers for a while that far does not have it", async () => {
      const { cache, far, farStore, clock } = setUp({ missesForMs: 1000 });
      expect(await cache.get(digestOf(1))).toBeUndefined();
      await farStore.put(pathInfoOf(digestOf(1)));
      expect(await cache.get(digestOf(1))).toBeUndefined();
      expect(far.calls).toHaveLength(1);
      clock.advance(1000);
      expect(await cache.get(digestOf(1))).toBeDefined();
    });

    it("fails when far does, and remembers nothing of that", async () => {
      const { cache, far, farStore } = setUp();
      await farStore.put(pathInfoOf(digestOf(1)));
      far.before = failing;
      await expect(cache.get(digestOf(1))).rejects.toBe(DOWN);
      far.before = () => {};
      expect(await cache.get(digestOf(1))).toBeDefined();
    });

    it("leaves a far alone that fails again and again, and tries again later", async () => {
      const { cache, far, clock } = setUp({ far: { name: "the server", failures: 2 } });
      far.before = failing;
      for (let i = 0; i < 2; i++) await expect(cache.get(digestOf(1))).rejects.toBe(DOWN);
      await expect(cache.get(digestOf(1))).rejects.toThrow(
        /Cannot reach the server: it has failed/,
      );
      expect(far.calls).toHaveLength(2);
      far.before = () => {};
      clock.advance(1000);
      expect(await cache.get(digestOf(1))).toBeUndefined();
    });

    it("does not say that there is nothing when near may have it", async () => {
      const { cache, near, farStore, failures } = setUp();
      await farStore.put(pathInfoOf(digestOf(1)));
      near.before = failing;
      expect(await cache.get(digestOf(1))).toBeDefined();
      expect(failures).toEqual([DOWN]);
      await expect(cache.get(digestOf(2))).rejects.toBe(DOWN);
      await expect(cache.get(digestOf(2))).rejects.toBe(DOWN);
    });

    it("refuses an answer about another path, and keeps nothing of it", async () => {
      const { cache, far, nearStore } = setUp();
      far.change = () => pathInfoOf(digestOf(2));
      await expect(cache.get(digestOf(1))).rejects.toMatchObject({ code: "CORRUPT" });
      expect(await collect(nearStore.list())).toEqual([]);
    });

    it("aborts the call of far when nobody waits any more, and not before", async () => {
      const { cache, far } = setUp();
      far.before = () => new Promise(() => {});
      const reason = new Error("enough");
      const controllers = [new AbortController(), new AbortController()];
      const gets = controllers.map(({ signal }) => cache.get(digestOf(1), { signal }));
      await new Promise((resolve) => setImmediate(resolve));
      controllers[0]?.abort(reason);
      await expect(gets[0]).rejects.toBe(reason);
      expect(far.signals[0]?.aborted).toBe(false);
      controllers[1]?.abort(reason);
      await expect(gets[1]).rejects.toBe(reason);
      expect(far.signals.map((signal) => signal?.aborted)).toEqual([true]);
    });
  });

  describe("put()", () => {
    it("loses no signature that only far has", async () => {
      for (const writes of ["near", "through"] as const) {
        const { cache, farStore } = setUp({ writes });
        await farStore.put(pathInfoOf(digestOf(1), { signatures: [ONE] }));
        const stored = await cache.put(pathInfoOf(digestOf(1), { signatures: [TWO] }));
        expect(names(stored)).toEqual(["a", "b"]);
        expect(names(await cache.get(digestOf(1)))).toEqual(["a", "b"]);
      }
    });

    it("goes to near alone unless told otherwise, also where far cannot be reached", async () => {
      const { cache, far, nearStore, farStore } = setUp();
      far.before = failing;
      await cache.put(pathInfoOf(digestOf(1)));
      expect(await nearStore.get(digestOf(1))).toBeDefined();
      expect(await farStore.get(digestOf(1))).toBeUndefined();
    });

    it("shows what it replaces, wherever that is", async () => {
      const { cache, farStore } = setUp();
      await farStore.put(pathInfoOf(digestOf(1), { narSize: 1n }));
      const shown: bigint[] = [];
      const onReplace = ({ narSize }: PathInfo) => {
        shown.push(narSize);
        if (shown.length === 2) throw new Error("keep it");
      };
      await cache.put(pathInfoOf(digestOf(1), { narSize: 2n }), { onReplace });
      const put = cache.put(pathInfoOf(digestOf(1), { narSize: 3n }), { onReplace });
      await expect(put).rejects.toThrow("keep it");
      expect(shown).toEqual([1n, 2n]);
      expect((await cache.get(digestOf(1)))?.narSize).toBe(2n);
    });

    it("leaves near alone when far refuses, where it goes through", async () => {
      const { cache, far, near } = setUp({ writes: "through" });
      far.before = failing;
      await expect(cache.put(pathInfoOf(digestOf(1)))).rejects.toBe(DOWN);
      expect(near.calls).toEqual([]);
    });

    it("replaces what is damaged near, and what near has of before it went through", async () => {
      const notes = new MemoryNotes();
      const { cache, near, nearStore, far } = setUp({ notes, writes: "through" });
      await nearStore.put(pathInfoOf(digestOf(1), { narSize: 1n }));
      await cache.put(pathInfoOf(digestOf(1), { narSize: 2n }));
      expect((await cache.get(digestOf(1)))?.narSize).toBe(2n);
      const other = new CachePathInfoService(near, far);
      near.before = (call) => {
        if (call === "get") throw new StoreError("CORRUPT", "Cannot read: damaged");
      };
      await other.put(pathInfoOf(digestOf(1), { narSize: 3n }));
      expect((await nearStore.get(digestOf(1)))?.narSize).toBe(3n);
    });

    it("is seen at once, where it goes through and near fails", async () => {
      const { cache, near } = setUp({ writes: "through" });
      expect(await cache.get(digestOf(1))).toBeUndefined();
      near.before = (call) => {
        if (call === "put") throw DOWN;
      };
      await cache.put(pathInfoOf(digestOf(1)));
      expect(await cache.get(digestOf(1))).toBeDefined();
    });
  });

  describe("list()", () => {
    it("has what either has, each once, with the signatures of both", async () => {
      const { cache, nearStore, farStore } = setUp();
      for (const first of [1, 3, 5]) {
        await farStore.put(pathInfoOf(digestOf(first), { signatures: [ONE] }));
      }
      for (const first of [2, 3, 6]) {
        await nearStore.put(pathInfoOf(digestOf(first), { signatures: [TWO] }));
      }
      const listed = await collect(cache.list());
      expect(listed.map(({ storePath }) => storePath.digestBytes()[0])).toEqual([1, 2, 3, 5, 6]);
      expect(names(listed[2])).toEqual(["a", "b"]);
    });

    it.each([0, 1])("fails when far does, after %i of it", async (count) => {
      const { cache, far, nearStore, farStore } = setUp();
      await nearStore.put(pathInfoOf(digestOf(2)));
      for (const first of [1, 3]) await farStore.put(pathInfoOf(digestOf(first)));
      far.before = (_, place) => {
        if (place === count) throw DOWN;
      };
      await expect(collect(cache.list())).rejects.toBe(DOWN);
    });

    it("leaves a far out that cannot list", async () => {
      const { cache, far, near, nearStore } = setUp();
      await nearStore.put(pathInfoOf(digestOf(2)));
      const cannot = () => {
        throw new StoreError("UNSUPPORTED", "Cannot list: caches have no list");
      };
      far.before = cannot;
      expect(await collect(cache.list())).toHaveLength(1);
      near.before = cannot;
      await expect(collect(cache.list())).rejects.toMatchObject({ code: "UNSUPPORTED" });
    });
  });

  it("gives what is right or fails, whatever far does", async () => {
    for (let seed = 1; seed <= 50; seed++) await faultyRun(seed);
  });
});

/** Random calls over a far store that fails or answers about other paths. */
async function faultyRun(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const notes = random.below(2) === 0 ? { notes: new MemoryNotes() } : {};
  const { cache, far, farStore } = setUp({ ...notes, missesForMs: 0, far: { failures: 1000 } });
  for (let first = 0; first < 10; first++) await farStore.put(pathInfoOf(digestOf(first)));
  let isUp = false;
  far.before = () => {
    if (!isUp && random.below(5) === 0) throw DOWN;
  };
  far.change = (pathInfo) =>
    !isUp && random.below(10) === 0 ? pathInfoOf(digestOf(77)) : pathInfo;
  const check = async (first: number): Promise<void> => {
    try {
      const pathInfo = await cache.get(digestOf(first));
      const expected = first < 10 ? digestOf(first) : undefined;
      expect(pathInfo?.storePath.digestBytes()).toEqual(expected);
    } catch (error) {
      if (isUp || !StoreError.is(error)) throw error;
    }
  };
  for (let round = 0; round < 40; round++) {
    const calls = Array.from({ length: 1 + random.below(4) }, () => check(random.below(12)));
    await Promise.all(calls);
  }
  isUp = true;
  for (let first = 0; first < 12; first++) await check(first);
}
