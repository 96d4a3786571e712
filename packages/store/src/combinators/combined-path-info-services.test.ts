import type { GuardOptions, StoreMember } from "@tvix/castore";
import { collect, ManualClock } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { StoreError } from "../errors.js";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";
import { Signature } from "../signature/signature.js";
import { digestOf, pathInfoOf } from "../testing/path-info-fixtures.js";
import { pathInfoServiceSuite } from "../testing/path-info-service-suite.js";
import { ScriptedPathInfoService } from "../testing/scripted-path-info-service.js";
import { FallbackPathInfoService } from "./fallback-path-info-service.js";
import { LimitedPathInfoService } from "./limited-path-info-service.js";
import { RacePathInfoService } from "./race-path-info-service.js";
import { ReadOnlyPathInfoService } from "./read-only-path-info-service.js";

const DOWN = new StoreError("UNAVAILABLE", "Cannot reach the store: the line is cut");
const NO_ROOT_CHECK = { noRootCheck: { reason: "the stores in memory do not check roots" } };

type Combine = (
  stores: readonly StoreMember<PathInfoService>[],
  options?: GuardOptions,
) => PathInfoService;

const COMBINED: readonly [string, Combine][] = [
  ["FallbackPathInfoService", (stores, options) => new FallbackPathInfoService(stores, options)],
  ["RacePathInfoService", (stores, options) => new RacePathInfoService(stores, options)],
];

function setUp(combine: Combine, options: GuardOptions = {}) {
  const clock = new ManualClock();
  const memories = [new MemoryPathInfoService(), new MemoryPathInfoService()] as const;
  const [first, second] = memories.map((memory) => new ScriptedPathInfoService(memory)) as [
    ScriptedPathInfoService,
    ScriptedPathInfoService,
  ];
  const members = [first, second].map((service, i) => ({ service, name: `store ${i}` }));
  const service = combine(members, { clock, ...options });
  return { service, first, second, memories, clock };
}

function failing(): never {
  throw DOWN;
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

for (const [name, combine] of COMBINED) {
  pathInfoServiceSuite(
    `${name} of a store and an empty one`,
    async () => ({ service: setUp(combine).service }),
    NO_ROOT_CHECK,
  );

  describe(name, () => {
    it("finds what any of the stores has", async () => {
      const { service, memories } = setUp(combine);
      for (const [i, memory] of memories.entries()) await memory.put(pathInfoOf(digestOf(i)));
      for (const i of memories.keys()) expect(await service.get(digestOf(i))).toBeDefined();
    });

    it("finds what one has while the other fails, which is left alone after a while", async () => {
      const { service, first, memories } = setUp(combine);
      await memories[1].put(pathInfoOf(digestOf(1)));
      first.before = failing;
      for (let i = 0; i < 5; i++) expect(await service.get(digestOf(1))).toBeDefined();
      expect(first.calls).toHaveLength(3);
    });

    it("does not say that there is nothing when one did not answer", async () => {
      const { service, second } = setUp(combine);
      second.before = failing;
      await expect(service.get(digestOf(1))).rejects.toMatchObject({
        code: "UNAVAILABLE",
        message: expect.stringMatching(/^Cannot read the path info of [a-z0-9]{32}: store 1: /),
      });
    });

    it("does not take the answer about another path", async () => {
      const { service, first, memories } = setUp(combine);
      first.change = () => pathInfoOf(digestOf(9));
      await expect(service.get(digestOf(1))).rejects.toMatchObject({ code: "CORRUPT" });
      await memories[1].put(pathInfoOf(digestOf(1)));
      expect((await service.get(digestOf(1)))?.storePath.digestBytes()).toEqual(digestOf(1));
    });

    it("gives up a store that does not answer in time", async () => {
      const { service, first, memories, clock } = setUp(combine, { timeoutMs: 1000 });
      await memories[1].put(pathInfoOf(digestOf(1)));
      first.before = () => new Promise(() => {});
      const get = service.get(digestOf(1));
      await settled();
      clock.advance(1000);
      expect(await get).toBeDefined();
      expect(first.signals[0]?.aborted).toBe(true);
    });

    it("has the patience that a download takes", async () => {
      const { service, first, memories, clock } = setUp(combine);
      await memories[0].put(pathInfoOf(digestOf(1)));
      let answer = (): void => {};
      first.before = () =>
        new Promise((resolve) => {
          answer = resolve;
        });
      const get = service.get(digestOf(1));
      await settled();
      clock.advance(9 * 60_000);
      await settled();
      answer();
      expect(await get).toBeDefined();
    });

    it("passes an abort on, and does not count it as a failure", async () => {
      const { service, first, memories } = setUp(combine);
      await memories[0].put(pathInfoOf(digestOf(1)));
      const reason = new Error("enough");
      for (let i = 0; i < 5; i++) {
        first.before = () => new Promise(() => {});
        const controller = new AbortController();
        const get = service.get(digestOf(1), { signal: controller.signal });
        await settled();
        controller.abort(reason);
        await expect(get).rejects.toBe(reason);
      }
      expect(first.signals.every((signal) => signal?.aborted === true)).toBe(true);
      first.before = () => {};
      expect(await service.get(digestOf(1))).toBeDefined();
    });

    it("puts into the first store that takes it", async () => {
      const { service, first, second, memories } = setUp(combine);
      await service.put(pathInfoOf(digestOf(1)));
      expect(second.calls).toEqual([]);
      first.before = failing;
      await service.put(pathInfoOf(digestOf(2)));
      expect(await memories[1].get(digestOf(2))).toBeDefined();
      second.before = failing;
      await expect(service.put(pathInfoOf(digestOf(3)))).rejects.toThrow(/store 0: .*store 1: /);
    });

    it("does not count as a failure what its caller refuses to replace", async () => {
      const { service, first, second, memories } = setUp(combine);
      await memories[0].put(pathInfoOf(digestOf(1)));
      const refusal = new Error("keep it");
      const onReplace = () => {
        throw refusal;
      };
      for (let i = 0; i < 5; i++) {
        await expect(service.put(pathInfoOf(digestOf(1)), { onReplace })).rejects.toBe(refusal);
      }
      expect(first.calls).toHaveLength(5);
      expect(second.calls).toEqual([]);
    });

    it("lists what all of them have, or fails", async () => {
      const { service, second, memories } = setUp(combine);
      const signatures = ["a", "b"].map((key) => Signature.of(key, new Uint8Array(64)));
      for (const [i, memory] of memories.entries()) {
        await memory.put(pathInfoOf(digestOf(i)));
        await memory.put(pathInfoOf(digestOf(7), { signatures: signatures.slice(i, i + 1) }));
      }
      const listed = await collect(service.list());
      expect(listed.map(({ storePath }) => storePath.digestBytes()[0])).toEqual([0, 1, 7]);
      expect(listed[2]?.signatures).toHaveLength(2);
      second.before = (_, place) => {
        if (place === 1) throw DOWN;
      };
      await expect(collect(service.list())).rejects.toBe(DOWN);
    });
  });
}

describe("RacePathInfoService", () => {
  it("takes the fastest, and cancels the others", async () => {
    const { service, first, memories } = setUp((stores) => new RacePathInfoService(stores));
    for (const memory of memories) await memory.put(pathInfoOf(digestOf(1)));
    first.before = () => new Promise(() => {});
    expect(await service.get(digestOf(1))).toBeDefined();
    expect(first.signals[0]?.aborted).toBe(true);
  });
});

pathInfoServiceSuite(
  "limited(memory)",
  async () => ({
    service: new LimitedPathInfoService(new MemoryPathInfoService(), { maxCalls: 1 }),
  }),
  NO_ROOT_CHECK,
);

describe("LimitedPathInfoService", () => {
  it("lets so many calls through at a time", async () => {
    const inner = new ScriptedPathInfoService(new MemoryPathInfoService());
    let running = 0;
    let most = 0;
    inner.before = async () => {
      most = Math.max(most, ++running);
      await settled();
      running--;
    };
    const service = new LimitedPathInfoService(inner, { maxCalls: 3 });
    await Promise.all(Array.from({ length: 10 }, (_, i) => service.get(digestOf(i))));
    expect(most).toBe(3);
  });

  it("does not wait for a reader that asks for more in between", async () => {
    const service = new LimitedPathInfoService(new MemoryPathInfoService(), { maxCalls: 1 });
    await service.put(pathInfoOf(digestOf(1)));
    for await (const { storePath } of service.list()) {
      expect(await service.get(storePath.digestBytes())).toBeDefined();
      expect(service.peek(storePath.digestBytes())).toBeDefined();
    }
  });
});

describe("ReadOnlyPathInfoService", () => {
  it("gives what is there, and takes nothing", async () => {
    const inner = new MemoryPathInfoService();
    await inner.put(pathInfoOf(digestOf(1)));
    const service = new ReadOnlyPathInfoService(inner);
    expect(await service.get(digestOf(1))).toBeDefined();
    expect(service.peek(digestOf(1))).toBeDefined();
    expect(await collect(service.list())).toHaveLength(1);
    await expect(service.put(pathInfoOf(digestOf(2)))).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(service.put(pathInfoOf(digestOf(2)), { signal })).rejects.toBe(reason);
    expect(await inner.get(digestOf(2))).toBeUndefined();
  });
});
