import { describe, expect, it } from "vitest";
import type { ChunkMeta } from "../blobservice/blob-service.js";
import { blake3 } from "../hasher/blake3.js";
import { ChunkLayout } from "./chunk-layout.js";

const DIGEST = blake3(Uint8Array.of(1));

function chunksOf(sizes: readonly number[]): ChunkMeta[] {
  return sizes.map((size, i) => ({ digest: blake3(Uint8Array.of(2, i)), size }));
}

function layoutOf(sizes: readonly number[]): ChunkLayout {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return ChunkLayout.fromChunks(DIGEST, total, chunksOf(sizes)) ?? expect.fail("no layout");
}

describe("ChunkLayout", () => {
  it("knows where each chunk lies", () => {
    const layout = layoutOf([10, 5, 7]);
    expect([layout.count, layout.size]).toEqual([3, 22]);
    const offsets = [0, 9, 10, 14, 15, 21, 22];
    expect(offsets.map((offset) => layout.indexOf(offset))).toEqual([0, 0, 1, 1, 2, 2, 3]);
    expect([0, 1, 2].map((i) => [layout.startOf(i), layout.lengthOf(i)])).toEqual([
      [0, 10],
      [10, 5],
      [15, 7],
    ]);
    expect(layout.toChunks()).toEqual(chunksOf([10, 5, 7]));
  });

  it.each([
    ["a chunk of no bytes", 10, [10, 0]],
    ["a negative chunk", 10, [20, -10]],
    ["a chunk of half a byte", 10, [9.5, 0.5]],
    ["a sum that is too small", 11, [5, 5]],
    ["a sum that is too large", 9, [5, 5]],
    ["chunks beyond all numbers", 10, [2 ** 53, 2 ** 53]],
  ])("refuses %s", (_label, size, sizes) => {
    expect(() => ChunkLayout.fromChunks(DIGEST, size, chunksOf(sizes))).toThrowError(
      expect.objectContaining({ code: "CORRUPT" }),
    );
  });

  it("has no use for empty lists, and for chunks that are too long", () => {
    expect(ChunkLayout.fromChunks(DIGEST, 0, [])).toBeUndefined();
    const long = 8 * 1024 * 1024 + 1;
    expect(ChunkLayout.fromChunks(DIGEST, 2 * long, chunksOf([long, long]))).toBeUndefined();
  });

  it("is proved when all places are marked", () => {
    const layout = layoutOf(new Array(9).fill(3));
    for (const i of [8, 0, 1, 2, 2, 3, 4, 5, 6]) layout.mark(i);
    expect([layout.isMarked(8), layout.isMarked(7), layout.isProved]).toEqual([true, false, false]);
    layout.mark(7);
    expect(layout.isProved).toBe(true);
  });

  it("comes back from its notes", () => {
    const layout = layoutOf(new Array(11).fill(5).map((size, i) => size + i));
    for (const i of [0, 9]) layout.mark(i);
    const again = ChunkLayout.decode(layout.encodeList(), layout.marks);
    expect(again?.toChunks()).toEqual(layout.toChunks());
    expect(again?.marks).toEqual(layout.marks);
    for (const i of [1, 2, 3, 4, 5, 6, 7, 8, 10]) again?.mark(i);
    expect([again?.isProved, layout.isProved]).toEqual([true, false]);
  });

  it("marks nothing by marks of another list, and reads no list that is none", () => {
    const layout = layoutOf([1, 2]);
    expect(ChunkLayout.decode(layout.encodeList(), new Uint8Array(9))?.isMarked(0)).toBe(false);
    expect(ChunkLayout.decode(layout.encodeList(), undefined)?.isMarked(0)).toBe(false);
    const list = layout.encodeList();
    for (const wrong of [
      list.subarray(0, -1),
      list.subarray(0, 1),
      Uint8Array.of(9),
      list.subarray(1),
    ]) {
      expect(ChunkLayout.decode(wrong, undefined)).toBeUndefined();
    }
  });
});
