import { describe, expect, it } from "vitest";
import { ContentCache } from "./content-cache.js";

function content(length: number): Uint8Array {
  return new Uint8Array(length);
}

describe("ContentCache", () => {
  it("serves what was added", () => {
    const cache = new ContentCache(100);
    const bytes = content(10);
    cache.add("a", bytes);
    expect(cache.serve("a", 3)).toBe(bytes);
    expect(cache.serve("b", 3)).toBeUndefined();
    expect([cache.has("a"), cache.has("b")]).toEqual([true, false]);
  });

  it("drops a piece that has been read in full", () => {
    const cache = new ContentCache(100);
    cache.add("a", content(10));
    cache.serve("a", 4);
    expect(cache.bytes).toBe(10);
    expect(cache.serve("a", 6)).toHaveLength(10);
    expect(cache.has("a")).toBe(false);
    expect(cache.bytes).toBe(0);
  });

  it("drops what was not used for longest when there is no room", () => {
    const cache = new ContentCache(100);
    for (const key of ["a", "b", "c"]) cache.add(key, content(30));
    cache.serve("a", 1);
    cache.add("d", content(40));
    expect(["a", "b", "c", "d"].filter((key) => cache.has(key))).toEqual(["a", "c", "d"]);
    expect(cache.bytes).toBe(100);
  });

  it("does not keep what is longer than there is room for at all", () => {
    const cache = new ContentCache(100);
    cache.add("a", content(50));
    cache.add("b", content(101));
    expect([cache.has("a"), cache.has("b")]).toEqual([true, false]);
  });

  it("leaves what is there as it is", () => {
    const cache = new ContentCache(100);
    const first = content(10);
    cache.add("a", first);
    cache.add("a", content(10));
    expect(cache.serve("a", 1)).toBe(first);
    expect(cache.bytes).toBe(10);
  });

  it("keeps the memory of several pieces until the last of them is dropped", () => {
    const cache = new ContentCache(100);
    let dropped = 0;
    const onDrop = (): void => {
      dropped++;
    };
    const pieces = [
      ["a", content(10)],
      ["b", content(20)],
    ] as const;
    expect(cache.addBlock(pieces, 50, onDrop)).toBe(true);
    expect(cache.bytes).toBe(50);
    cache.serve("a", 10);
    expect([cache.has("a"), cache.has("b"), cache.bytes, dropped]).toEqual([false, true, 50, 0]);
    cache.serve("b", 20);
    expect([cache.has("b"), cache.bytes, dropped]).toEqual([false, 0, 1]);
  });

  it("drops all pieces of a memory together when there is no room", () => {
    const cache = new ContentCache(100);
    let dropped = 0;
    const onDrop = (): void => {
      dropped++;
    };
    cache.addBlock(
      [
        ["a", content(10)],
        ["b", content(20)],
      ],
      50,
      onDrop,
    );
    cache.add("c", content(50));
    cache.serve("b", 1);
    cache.add("d", content(20));
    expect(["a", "b", "c", "d"].filter((key) => cache.has(key))).toEqual(["a", "b", "d"]);
    expect([cache.bytes, dropped]).toEqual([70, 0]);
    cache.add("e", content(60));
    expect(["a", "b", "d", "e"].filter((key) => cache.has(key))).toEqual(["d", "e"]);
    expect([cache.bytes, dropped]).toEqual([80, 1]);
  });

  it("does not keep memory without a piece that is new, or with no room for it", () => {
    const cache = new ContentCache(100);
    cache.add("a", content(10));
    const onDrop = (): void => expect.unreachable();
    expect(cache.addBlock([["a", content(10)]], 20, onDrop)).toBe(false);
    expect(cache.addBlock([["b", content(10)]], 101, onDrop)).toBe(false);
    expect([cache.has("b"), cache.bytes]).toEqual([false, 10]);
  });

  it("forgets everything", () => {
    const cache = new ContentCache(100);
    cache.add("a", content(10));
    cache.clear();
    expect([cache.has("a"), cache.bytes]).toEqual([false, 0]);
  });
});
