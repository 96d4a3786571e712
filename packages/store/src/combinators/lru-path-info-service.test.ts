import { collect } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import { digestOf, pathInfoOf } from "../testing/path-info-fixtures.js";
import { pathInfoServiceSuite } from "../testing/path-info-service-suite.js";
import { ScriptedPathInfoService } from "../testing/scripted-path-info-service.js";
import { LruPathInfoService } from "./lru-path-info-service.js";

const NO_ROOT_CHECK = { noRootCheck: { reason: "the stores in memory do not check roots" } };

pathInfoServiceSuite(
  "lru",
  async () => ({ service: new LruPathInfoService({ capacity: 1000 }) }),
  NO_ROOT_CHECK,
);

pathInfoServiceSuite(
  "lru(memory)",
  async () => ({
    service: new LruPathInfoService({ capacity: 2, inner: new MemoryPathInfoService() }),
  }),
  NO_ROOT_CHECK,
);

describe("LruPathInfoService", () => {
  it("forgets what was not used for longest", async () => {
    const service = new LruPathInfoService({ capacity: 2 });
    await service.put(pathInfoOf(digestOf(1)));
    await service.put(pathInfoOf(digestOf(2)));
    await service.get(digestOf(1));
    await service.put(pathInfoOf(digestOf(3)));
    const listed = await collect(service.list());
    expect(listed.map(({ storePath }) => storePath.digestBytes()[0])).toEqual([1, 3]);
    expect(await service.get(digestOf(2))).toBeUndefined();
  });

  it("asks the other store once for what it remembers", async () => {
    const inner = new ScriptedPathInfoService(new MemoryPathInfoService());
    const service = new LruPathInfoService({ capacity: 2, inner });
    for (const first of [1, 2, 3]) await service.put(pathInfoOf(digestOf(first)));
    inner.calls.length = 0;
    for (const first of [1, 2, 1, 2]) expect(await service.get(digestOf(first))).toBeDefined();
    expect(inner.calls).toHaveLength(2);
    expect(service.peek(digestOf(1))).toBeDefined();
    expect(service.peek(digestOf(3))).toBeUndefined();
    expect(await collect(service.list())).toHaveLength(3);
  });

  it("does not remember an answer from before a change", async () => {
    const memory = new MemoryPathInfoService();
    const inner = new ScriptedPathInfoService(memory);
    const service = new LruPathInfoService({ capacity: 2, inner });
    await service.put(pathInfoOf(digestOf(1), { narSize: 1n }));
    let answer = (): void => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const old = await memory.get(digestOf(1));
    inner.before = (call) => (call === "get" ? held : undefined);
    inner.change = () => old;
    const get = service.get(digestOf(1));
    await service.put(pathInfoOf(digestOf(1), { narSize: 2n }));
    answer();
    await get;
    inner.change = (pathInfo) => pathInfo;
    expect((await service.get(digestOf(1)))?.narSize).toBe(2n);
  });

  it("refuses a capacity of nothing", () => {
    expect(() => new LruPathInfoService({ capacity: 0 })).toThrow(RangeError);
    expect(() => new LruPathInfoService({ capacity: Number.NaN })).toThrow(RangeError);
  });
});
