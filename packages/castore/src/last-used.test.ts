import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LastUsed } from "./last-used.js";

/** Texts, as heavy as they are long. */
function texts(maxWeight: number): LastUsed<string, string> {
  return new LastUsed(maxWeight, (text) => text.length);
}

function keysIn(values: LastUsed<string, string>, keys: string): string {
  return [...keys].filter((key) => values.has(key)).join("");
}

describe("LastUsed", () => {
  it("drops what was used longest ago, once that is too much", () => {
    const values = texts(6);
    values.add("a", "aa");
    values.add("b", "bb");
    values.add("c", "cc");
    expect([keysIn(values, "abc"), values.weight]).toEqual(["abc", 6]);
    expect(values.get("a")).toBe("aa");
    values.add("d", "d");
    expect([keysIn(values, "abcd"), values.weight]).toEqual(["acd", 5]);
    values.add("e", "eeeee");
    expect([keysIn(values, "abcde"), values.weight]).toEqual(["de", 6]);
  });

  it("is not used by being asked whether it is there", () => {
    const values = texts(2);
    values.add("a", "a");
    values.add("b", "b");
    expect(values.has("a")).toBe(true);
    values.add("c", "c");
    expect(keysIn(values, "abc")).toBe("bc");
  });

  it("keeps the one that was added last, however heavy", () => {
    const values = texts(3);
    values.add("a", "aa");
    values.add("b", "bbbbb");
    expect([values.get("a"), values.get("b"), values.weight]).toEqual([undefined, "bbbbb", 5]);
    values.add("c", "c");
    expect([keysIn(values, "abc"), values.weight]).toEqual(["c", 1]);
  });

  it("tells what there is no room for any more, and nothing else", () => {
    const dropped: string[] = [];
    const values = new LastUsed<string, string>(
      3,
      (text) => text.length,
      (text) => {
        dropped.push(text);
      },
    );
    for (const text of ["a", "b", "c", "dd"]) values.add(text, text);
    expect(dropped).toEqual(["a", "b"]);
    values.delete("c");
    values.add("dd", "ee");
    values.clear();
    expect(dropped).toEqual(["a", "b"]);
  });

  it("replaces a value and its weight", () => {
    const values = texts(4);
    values.add("a", "aaa");
    values.add("b", "b");
    values.add("a", "A");
    expect([values.get("a"), values.weight]).toEqual(["A", 2]);
    values.add("c", "ccc");
    expect(keysIn(values, "abc")).toBe("ac");
  });

  it("gives back the weight of what is deleted", () => {
    const values = texts(4);
    values.add("a", "aaa");
    values.delete("a");
    values.delete("b");
    expect([values.get("a"), values.weight]).toEqual([undefined, 0]);
    values.add("c", "cc");
    values.clear();
    expect([values.has("c"), values.weight]).toEqual([false, 0]);
  });

  it("weighs what it holds", () => {
    const key = fc.constantFrom(..."abcdefgh");
    const step = fc.record({
      key,
      does: fc.constantFrom("add", "get", "delete"),
      weight: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const values = texts(12);
        for (const { key, does, weight } of steps) {
          if (does === "add") values.add(key, key.repeat(weight));
          else if (does === "get") values.get(key);
          else values.delete(key);
          const held = [...keysIn(values, "abcdefgh")].map((held) => values.get(held) ?? "");
          expect(values.weight).toBe(held.join("").length);
          expect(values.weight).toBeLessThanOrEqual(12);
        }
      }),
      { seed: 605, numRuns: 200 },
    );
  });
});
