import { describe, expect, it } from "vitest";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { CastoreError } from "../errors.js";
import { chain, directoryOf, NOWHERE, nodeOf } from "../testing/directory-builders.js";
import { directoryServiceSuite } from "../testing/directory-service-suite.js";
import { ManualClock } from "../testing/manual-clock.js";
import { ScriptedDirectoryService } from "../testing/scripted-directory-service.js";
import { SeededRandom } from "../testing/seeded-random.js";
import { collect, WatchedSource } from "../testing/sources.js";
import type { GuardOptions } from "./guarded-store.js";
import { MirrorDirectoryService } from "./mirror-directory-service.js";
import type { MirrorOptions } from "./mirror-writes.js";

const DOWN = new CastoreError("UNAVAILABLE", "Cannot reach the store: the line is cut");

function failing(): never {
  throw DOWN;
}

function setUp(count: number, options: MirrorOptions & GuardOptions = {}) {
  const memories = Array.from({ length: count }, () => new MemoryDirectoryService());
  const stores = memories.map((memory) => new ScriptedDirectoryService(memory));
  const clock = new ManualClock();
  const errors: unknown[] = [];
  const members = stores.map((service, i) => ({ service, name: `store ${i}` }));
  const onHealError = (error: unknown) => void errors.push(error);
  const mirror = new MirrorDirectoryService(members, { clock, onHealError, ...options });
  const [first, second] = stores as [ScriptedDirectoryService, ScriptedDirectoryService];
  return { mirror, stores, memories, first, second, clock, errors };
}

directoryServiceSuite("mirror of three", async () => ({ service: setUp(3).mirror }));

describe("MirrorDirectoryService", () => {
  it("stores in all, from a source that can be read once", async () => {
    const { mirror, memories } = setUp(3);
    const source = new WatchedSource(chain(5));
    const root = await mirror.putMultiple(source);
    expect(source.opened).toBe(1);
    for (const memory of memories) expect(await collect(memory.getRecursive(root))).toHaveLength(5);
    const single = await mirror.put(directoryOf({}));
    for (const memory of memories) expect(await memory.get(single)).toBeDefined();
  });

  it.each([
    [3, undefined, 1, true],
    [3, undefined, 2, false],
    [2, undefined, 1, false],
    [2, 1, 1, true],
    [3, 3, 1, false],
  ])(
    "writes to %i stores with quorum %s while %i fail: %s",
    async (count, quorum, down, isDone) => {
      const { mirror, stores } = setUp(count, quorum === undefined ? {} : { quorum });
      for (const store of stores.slice(0, down)) store.before = failing;
      for (const put of [() => mirror.putMultiple(chain(3)), () => mirror.put(directoryOf({}))]) {
        if (isDone) await put();
        else await expect(put()).rejects.toMatchObject({ code: "UNAVAILABLE" });
      }
    },
  );

  it("goes on without a store that fails half way", async () => {
    const { mirror, stores, first } = setUp(3);
    first.putMultiple = async (directories) => {
      for await (const _ of directories) throw DOWN;
      throw new Error("not reached");
    };
    const root = await mirror.putMultiple(new WatchedSource(chain(20)));
    for (const store of stores.slice(1)) {
      expect(await collect(store.getRecursive(root))).toHaveLength(20);
    }
  });

  it("gives up a store that takes too long, and no other", async () => {
    const { mirror, first, memories, clock } = setUp(3, { timeoutMs: 1000 });
    first.before = () => new Promise(() => {});
    const put = mirror.putMultiple(chain(5));
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1000);
    const root = await put;
    expect(await collect((memories[2] as MemoryDirectoryService).getRecursive(root))).toHaveLength(
      5,
    );
  });

  it("gives a store what it lacks when that is read, with all below", async () => {
    for (const read of ["get", "getRecursive"] as const) {
      const { mirror, memories, first } = setUp(2, { quorum: 1 });
      const [firstMemory] = memories as [MemoryDirectoryService];
      first.before = failing;
      const root = await mirror.putMultiple(chain(4));
      first.before = () => {};
      if (read === "get") expect(await mirror.get(root)).toBeDefined();
      else expect(await collect(mirror.getRecursive(root))).toHaveLength(4);
      await mirror.healed();
      expect(await collect(firstMemory.getRecursive(root))).toHaveLength(4);
    }
  });

  it("gives nothing to a store that did not answer, or where that is not wanted", async () => {
    const { mirror, memories, first } = setUp(2, { heal: false });
    const [firstMemory, secondMemory] = memories as [
      MemoryDirectoryService,
      MemoryDirectoryService,
    ];
    const root = await secondMemory.putMultiple(chain(2));
    expect(await mirror.get(root)).toBeDefined();
    await mirror.healed();
    expect(await firstMemory.get(root)).toBeUndefined();
    const other = setUp(2);
    await other.memories[1]?.putMultiple(chain(2));
    other.first.before = failing;
    expect(await other.mirror.get(root)).toBeDefined();
    await other.mirror.healed();
    expect(first.calls).not.toContain("putMultiple");
    expect(other.first.calls).toEqual(["get"]);
  });

  it("does not fail a read because a store cannot be given what it lacks", async () => {
    const { mirror, memories, first, errors } = setUp(2);
    const root = await (memories[1] as MemoryDirectoryService).putMultiple(chain(2));
    first.before = (call) => {
      if (call === "putMultiple") throw DOWN;
    };
    expect(await mirror.get(root)).toBeDefined();
    await mirror.healed();
    expect(errors).toEqual([DOWN]);
  });

  it("gives others what they lack when one cannot be given it", async () => {
    const { mirror, memories, first, errors } = setUp(3);
    const root = await (memories[2] as MemoryDirectoryService).putMultiple(chain(2));
    first.before = (call) => {
      if (call === "putMultiple") throw DOWN;
    };
    await mirror.get(root);
    await mirror.healed();
    expect(errors).toEqual([DOWN]);
    expect(await memories[1]?.get(root)).toBeDefined();
  });

  it("does not say that there is nothing when one did not answer", async () => {
    const { mirror, second } = setUp(2);
    second.before = failing;
    await expect(mirror.get(NOWHERE)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(collect(mirror.getRecursive(NOWHERE))).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
  });

  it("passes an abort on to all, and gives nothing away afterwards", async () => {
    const { mirror, stores } = setUp(2);
    for (const store of stores) store.before = () => new Promise(() => {});
    const reason = new Error("enough");
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [mirror.put(directoryOf({}), { signal }), mirror.get(NOWHERE, { signal })];
    controller.abort(reason);
    for (const call of calls) await expect(call).rejects.toBe(reason);
    for (const store of stores) {
      expect(store.signals.every((given) => given?.aborted === true)).toBe(true);
    }
  });

  it("ends what goes on in the background when it is closed", async () => {
    const { mirror, memories, first } = setUp(2);
    const root = await (memories[1] as MemoryDirectoryService).putMultiple(chain(2));
    first.before = (call) => (call === "putMultiple" ? new Promise(() => {}) : undefined);
    await mirror.get(root);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    await mirror.close();
    expect(first.signals.at(-1)?.aborted).toBe(true);
  });

  it.each([0, 3, 1.5])("refuses a quorum of %s of two", (quorum) => {
    expect(() => setUp(2, { quorum })).toThrow(RangeError);
  });

  it("refuses to be one of no stores", () => {
    expect(() => new MirrorDirectoryService([])).toThrow(RangeError);
  });

  it("loses nothing that was taken, whichever store fails", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new SeededRandom(seed);
      const { mirror, stores } = setUp(3, { failures: 1000 });
      let isUp = false;
      for (const store of stores) {
        store.before = () => {
          if (!isUp && random.below(4) === 0) throw DOWN;
        };
      }
      const taken: Awaited<ReturnType<typeof mirror.putMultiple>>[] = [];
      for (let i = 0; i < 15; i++) {
        const below = chain(1 + random.below(4));
        const root = directoryOf({ [`d${i}`]: nodeOf(below.at(-1) ?? directoryOf({})) });
        try {
          taken.push(await mirror.putMultiple([...below, root]));
        } catch (error) {
          if (!CastoreError.is(error, "UNAVAILABLE")) throw error;
        }
      }
      isUp = true;
      for (const root of taken) expect(await mirror.get(root)).toBeDefined();
      await mirror.close();
    }
  });
});
