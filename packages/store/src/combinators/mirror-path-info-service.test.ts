import { CastoreError, type GuardOptions, type MirrorOptions } from "@tvix/castore";
import { collect, ManualClock, SeededRandom } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { StoreError } from "../errors.js";
import type { PathInfo } from "../path-info.js";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import { Signature } from "../signature/signature.js";
import { digestOf, pathInfoOf } from "../testing/path-info-fixtures.js";
import { pathInfoServiceSuite } from "../testing/path-info-service-suite.js";
import { ScriptedPathInfoService } from "../testing/scripted-path-info-service.js";
import { MirrorPathInfoService } from "./mirror-path-info-service.js";

const DOWN = new StoreError("UNAVAILABLE", "Cannot reach the store: the line is cut");

function signature(name: string): Signature {
  return Signature.of(name, new Uint8Array(64));
}

function signedBy(...names: readonly string[]): PathInfo {
  return pathInfoOf(digestOf(1), { signatures: names.map(signature) });
}

function names(pathInfo: PathInfo | undefined): string[] | undefined {
  return pathInfo?.signatures.map(({ keyName }) => keyName).sort();
}

function failing(): never {
  throw DOWN;
}

function setUp(count: number, options: MirrorOptions & GuardOptions = {}) {
  const memories = Array.from({ length: count }, () => new MemoryPathInfoService());
  const stores = memories.map((memory) => new ScriptedPathInfoService(memory));
  const clock = new ManualClock();
  const errors: unknown[] = [];
  const members = stores.map((service, i) => ({ service, name: `store ${i}` }));
  const onHealError = (error: unknown) => void errors.push(error);
  const mirror = new MirrorPathInfoService(members, { clock, onHealError, ...options });
  const [first] = stores as [ScriptedPathInfoService];
  return { mirror, stores, memories, first, clock, errors };
}

pathInfoServiceSuite("mirror of two", async () => ({ service: setUp(2).mirror }), {
  noRootCheck: { reason: "the stores in memory do not check roots" },
});

describe("MirrorPathInfoService", () => {
  it("stores in all", async () => {
    const { mirror, memories } = setUp(3);
    await mirror.put(signedBy("a"));
    for (const memory of memories) expect(names(await memory.get(digestOf(1)))).toEqual(["a"]);
  });

  it.each([
    [3, undefined, 1, true],
    [3, undefined, 2, false],
    [2, 1, 1, true],
    [2, undefined, 1, false],
  ])(
    "writes to %i stores with quorum %s while %i fail: %s",
    async (count, quorum, down, isDone) => {
      const { mirror, stores } = setUp(count, quorum === undefined ? {} : { quorum });
      for (const store of stores.slice(0, down)) store.before = failing;
      const put = mirror.put(signedBy());
      if (isDone) await put;
      else await expect(put).rejects.toMatchObject({ code: "UNAVAILABLE" });
    },
  );

  it("has all signatures in all stores after a put", async () => {
    const { mirror, memories } = setUp(3);
    for (const [i, memory] of memories.entries()) await memory.put(signedBy(`key-${i}`));
    const all = ["added", "key-0", "key-1", "key-2"];
    expect(names(await mirror.put(signedBy("added")))).toEqual(all);
    for (const memory of memories) expect(names(await memory.get(digestOf(1)))).toEqual(all);
  });

  it("gives a store what it lacks when that is read, signatures too", async () => {
    const { mirror, memories, clock } = setUp(3);
    await memories[1]?.put(signedBy("b"));
    await memories[2]?.put(signedBy("c"));
    expect(names(await mirror.get(digestOf(1)))).toEqual(["b"]);
    await mirror.healed();
    for (const memory of memories) expect(names(await memory.get(digestOf(1)))).toEqual(["b", "c"]);
    await memories[2]?.put(signedBy("d"));
    await mirror.get(digestOf(1));
    await mirror.healed();
    expect(names(await mirror.get(digestOf(1)))).toEqual(["b", "c"]);
    clock.advance(60_000);
    await mirror.get(digestOf(1));
    await mirror.healed();
    expect(names(await mirror.get(digestOf(1)))).toEqual(["b", "c", "d"]);
  });

  it("asks once what is read again and again", async () => {
    const { mirror, first } = setUp(2);
    await mirror.put(signedBy("a"));
    first.calls.length = 0;
    for (let i = 0; i < 5; i++) await mirror.get(digestOf(1));
    await mirror.healed();
    expect(first.calls).toHaveLength(6);
  });

  it("puts nothing into a store that did not answer, and nothing where that is not wanted", async () => {
    for (const heal of [true, false]) {
      const { mirror, memories, stores, first } = setUp(2, { heal });
      await memories[1]?.put(signedBy("a"));
      if (heal) first.before = failing;
      expect(await mirror.get(digestOf(1))).toBeDefined();
      await mirror.healed();
      for (const store of stores) expect(store.calls).not.toContain("put");
    }
  });

  it("does not fail a read because a store cannot be given what it lacks", async () => {
    const { mirror, memories, first, errors } = setUp(2);
    await memories[1]?.put(signedBy("a"));
    first.before = (call) => {
      if (call === "put") throw DOWN;
    };
    expect(await mirror.get(digestOf(1))).toBeDefined();
    await mirror.healed();
    expect(errors).toEqual([DOWN]);
  });

  it("gives others what they lack when one cannot be given it", async () => {
    const { mirror, memories, first, errors } = setUp(3);
    await memories[2]?.put(signedBy("a"));
    first.before = (call) => {
      if (call === "put") throw DOWN;
    };
    await mirror.get(digestOf(1));
    await mirror.healed();
    expect(errors).toEqual([DOWN]);
    expect(names(await memories[1]?.get(digestOf(1)))).toEqual(["a"]);
  });

  it("takes the content of the first where stores differ", async () => {
    const { mirror, memories } = setUp(2);
    await memories[0]?.put(pathInfoOf(digestOf(1), { narSize: 1n }));
    await memories[1]?.put(pathInfoOf(digestOf(1), { narSize: 2n, signatures: [signature("b")] }));
    const listed = await collect(mirror.list());
    expect(listed.map(({ narSize }) => narSize)).toEqual([1n]);
    await mirror.get(digestOf(1));
    await mirror.healed();
    const healed = await memories[1]?.get(digestOf(1));
    expect([healed?.narSize, names(healed)]).toEqual([1n, []]);
  });

  it("leaves what its caller does not want to be replaced", async () => {
    const { mirror, memories } = setUp(2);
    for (const memory of memories) await memory.put(pathInfoOf(digestOf(1), { narSize: 1n }));
    const refusal = new Error("keep it");
    const onReplace = () => {
      throw refusal;
    };
    for (let i = 0; i < 5; i++) {
      const put = mirror.put(pathInfoOf(digestOf(1), { narSize: 2n }), { onReplace });
      await expect(put).rejects.toBe(refusal);
    }
    for (const memory of memories) expect((await memory.get(digestOf(1)))?.narSize).toBe(1n);
  });

  it("does not say that there is nothing when one did not answer", async () => {
    const { mirror, stores } = setUp(2);
    for (const store of stores.slice(1)) store.before = failing;
    await expect(mirror.get(digestOf(1))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(collect(mirror.list())).rejects.toBe(DOWN);
  });

  it("passes an abort on to all", async () => {
    const { mirror, stores } = setUp(2);
    for (const store of stores) store.before = () => new Promise(() => {});
    const reason = new Error("enough");
    const controller = new AbortController();
    const put = mirror.put(signedBy(), { signal: controller.signal });
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(reason);
    await expect(put).rejects.toBe(reason);
    for (const store of stores)
      expect(store.signals.map((signal) => signal?.aborted)).toEqual([true]);
  });

  it("refuses a quorum that cannot be", () => {
    for (const quorum of [0, 3, 1.5]) expect(() => setUp(2, { quorum })).toThrow(RangeError);
    expect(() => new MirrorPathInfoService([])).toThrow(RangeError);
  });

  it("loses no signature that was taken, whichever store fails", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new SeededRandom(seed);
      const { mirror, stores, memories } = setUp(3, { failures: 1000 });
      for (const store of stores) {
        store.before = () => {
          if (random.below(4) === 0) throw DOWN;
        };
      }
      const taken: string[] = [];
      for (let i = 0; i < 10; i++) {
        try {
          const stored = await mirror.put(signedBy(`key-${i}`));
          expect(names(stored)).toContain(`key-${i}`);
          taken.push(`key-${i}`);
        } catch (error) {
          if (!CastoreError.is(error, "UNAVAILABLE")) throw error;
        }
      }
      await mirror.close();
      const known = new Set<string>();
      for (const memory of memories) {
        for (const name of names(await memory.get(digestOf(1))) ?? []) known.add(name);
      }
      for (const name of taken) expect(known).toContain(name);
    }
  });
});
