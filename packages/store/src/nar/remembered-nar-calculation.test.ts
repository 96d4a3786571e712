import { type Node, SymlinkTarget, symlinkNode } from "@tvix/castore";
import type { DerivedCache } from "@tvix/castore/local";
import { beforeEach, describe, expect, it } from "vitest";
import type { NarCalculation, NarCalculationService } from "../nar-calculation.js";
import { RememberedNarCalculation } from "./remembered-nar-calculation.js";

class MapCache implements Pick<DerivedCache, "get" | "put"> {
  readonly values = new Map<string, Uint8Array>();

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.values.get(key.join());
  }

  async put(key: Uint8Array, value: Uint8Array): Promise<void> {
    this.values.set(key.join(), value);
  }
}

const A: Node = symlinkNode(SymlinkTarget.parse("a"));
const B: Node = symlinkNode(SymlinkTarget.parse("b"));
const RESULT: NarCalculation = {
  narSize: 2n ** 40n + 1n,
  narSha256: new Uint8Array(32).map((_, i) => i),
};

class CountingCalculation implements NarCalculationService {
  calls = 0;

  async calculateNar(): Promise<NarCalculation> {
    this.calls++;
    return RESULT;
  }

  async remember(): Promise<void> {
    throw new Error("not to be called");
  }
}

describe("RememberedNarCalculation", () => {
  let inner: CountingCalculation;
  let cache: MapCache;
  let calculation: RememberedNarCalculation;
  beforeEach(() => {
    inner = new CountingCalculation();
    cache = new MapCache();
    calculation = new RememberedNarCalculation(inner, cache);
  });

  it("computes each root once", async () => {
    for (let i = 0; i < 3; i++) await expect(calculation.calculateNar(A)).resolves.toEqual(RESULT);
    expect(inner.calls).toBe(1);
    await calculation.calculateNar(B);
    expect(inner.calls).toBe(2);
  });

  it("does not compute what it was told", async () => {
    await calculation.remember(A, RESULT);
    await expect(calculation.calculateNar(A)).resolves.toEqual(RESULT);
    expect(inner.calls).toBe(0);
  });

  it("finds what another object with the same cache kept", async () => {
    await calculation.calculateNar(A);
    await new RememberedNarCalculation(inner, cache).calculateNar(A);
    expect(inner.calls).toBe(1);
  });

  it("computes again when any bit of what is kept has changed", async () => {
    await calculation.calculateNar(A);
    const [key, value] = [...cache.values][0] as [string, Uint8Array];
    for (let bit = 0; bit < 8 * value.byteLength; bit++) {
      const damaged = new Uint8Array(value);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      cache.values.set(key, damaged);
      inner.calls = 0;
      await expect(calculation.calculateNar(A)).resolves.toEqual(RESULT);
      expect(inner.calls).toBe(1);
    }
  });

  it("computes again when what is kept is cut short or belongs to another root", async () => {
    await calculation.calculateNar(A);
    const [keyA, value] = [...cache.values][0] as [string, Uint8Array];
    cache.values.set(keyA, value.subarray(0, 40));
    await calculation.calculateNar(A);
    expect(inner.calls).toBe(2);
    await calculation.calculateNar(B);
    const keyB = [...cache.values.keys()].find((key) => key !== keyA) as string;
    cache.values.set(keyB, value);
    await calculation.calculateNar(B);
    expect(inner.calls).toBe(4);
  });

  it("rejects with the reason of an aborted signal", async () => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(calculation.calculateNar(A, { signal })).rejects.toBe(reason);
    await expect(calculation.remember(A, RESULT, { signal })).rejects.toBe(reason);
    expect(cache.values.size).toBe(0);
  });
});
