import { describe, expect, it } from "vitest";
import { type MapAheadOptions, mapAhead } from "./map-ahead.js";

async function* numbers(
  count: number,
  onEnd: () => void = () => undefined,
): AsyncGenerator<number> {
  try {
    for (let i = 0; i < count; i++) yield i;
  } finally {
    onEnd();
  }
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

const PLENTY: MapAheadOptions<unknown> = { maxItems: 8, maxWeight: 1000, weigh: () => 1 };

/** Work that ends when told to. */
function gates(): { work: (item: number) => Promise<number>; open: (item: number) => void } {
  const resolvers = new Map<number, () => void>();
  return {
    work: (item) => new Promise((resolve) => resolvers.set(item, () => resolve(item))),
    open: (item) => resolvers.get(item)?.(),
  };
}

/** Lets everything happen that can happen without more input. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("mapAhead()", () => {
  it("yields results in the order of the items, whichever is ready first", async () => {
    const { work, open } = gates();
    const results = all(mapAhead(numbers(3), work, PLENTY));
    await settle();
    for (const item of [2, 1, 0]) open(item);
    await expect(results).resolves.toEqual([0, 1, 2]);
  });

  it("yields nothing for no items", async () => {
    await expect(all(mapAhead(numbers(0), async (item) => item, PLENTY))).resolves.toEqual([]);
  });

  it("works on as many items as allowed, and no more before results are taken", async () => {
    const { work, open } = gates();
    const started: number[] = [];
    const noted = (item: number) => {
      started.push(item);
      return work(item);
    };
    const mapped = mapAhead(numbers(20), noted, { ...PLENTY, maxItems: 4 });
    const first = mapped.next();
    await settle();
    expect(started).toEqual([0, 1, 2, 3]);
    open(0);
    await expect(first).resolves.toEqual({ done: false, value: 0 });
    await settle();
    expect(started).toEqual([0, 1, 2, 3]);
    const second = mapped.next();
    await settle();
    expect(started).toEqual([0, 1, 2, 3, 4]);
    open(1);
    await second;
    await mapped.return();
  });

  it("hands out what is ready before it begins much else, and gets ahead step by step", async () => {
    const started: number[] = [];
    const work = async (item: number) => {
      started.push(item);
      return item;
    };
    const mapped = mapAhead(numbers(20), work, { ...PLENTY, maxItems: 4 });
    const ahead: number[] = [];
    for (let taken = 1; taken <= 5; taken++) {
      await mapped.next();
      ahead.push(started.length - taken);
    }
    expect(ahead).toEqual([1, 2, 3, 3, 3]);
    await mapped.return();
  });

  it("keeps the weight in bounds, but lets one heavy item through alone", async () => {
    let weight = 0;
    let most = 0;
    const work = async (item: number) => {
      weight += item;
      most = Math.max(most, weight);
      return item;
    };
    const options = { maxItems: 100, maxWeight: 10, weigh: (item: number) => item };
    const taken: number[] = [];
    for await (const item of mapAhead(numbers(16), work, options)) {
      taken.push(item);
      await settle();
      weight -= item;
    }
    expect(taken).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect(most).toBe(15);
  });

  it("fails with the first failure in order, and closes its source", async () => {
    let closed = false;
    const work = async (item: number) => {
      if (item >= 2) throw new Error(`item ${item}`);
      return item;
    };
    const mapped = mapAhead(
      numbers(10, () => {
        closed = true;
      }),
      work,
      PLENTY,
    );
    const taken: number[] = [];
    const consume = async () => {
      for await (const item of mapped) taken.push(item);
    };
    await expect(consume()).rejects.toThrow("item 2");
    expect(taken).toEqual([0, 1]);
    expect(closed).toBe(true);
  });

  it("closes its source when it is left early", async () => {
    let closed = false;
    const source = numbers(10, () => {
      closed = true;
    });
    for await (const item of mapAhead(source, async (item) => item, PLENTY)) {
      expect(item).toBe(0);
      break;
    }
    expect(closed).toBe(true);
  });
});
