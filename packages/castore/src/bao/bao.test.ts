import { blake3 as nobleBlake3 } from "@noble/hashes/blake3.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, toHex } from "../bytes.js";
import { B3Digest } from "../digest.js";
import { BAO_SLICES, BAO_VECTORS, baoInput } from "../testing/bao-vectors.js";
import { seededBytes } from "../testing/seeded-random.js";
import { encodeSlice } from "./encode-slice.js";
import { outboardBytes, PAGE_GROUPS, treeOfOutboard } from "./outboard.js";
import { SliceDecoder, type SliceDecoderOptions } from "./slice-decoder.js";
import { TreeBuilder, treeOf } from "./tree-builder.js";
import { encodeLength, type SliceRange } from "./tree-shape.js";

const KIB = 1024;

function hash(bytes: Uint8Array): string {
  return toHex(nobleBlake3(bytes));
}

function reading(input: Uint8Array, pieceBytes = 1000) {
  return async function* (start: number, end: number): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; at += pieceBytes) {
      yield input.subarray(at, Math.min(end, at + pieceBytes));
    }
  };
}

async function sliceOf(
  input: Uint8Array,
  range: SliceRange,
  groupLog: number,
): Promise<Uint8Array> {
  const tree = treeOf(input, groupLog);
  const parts: Uint8Array[] = [];
  for await (const part of encodeSlice(tree, tree.digest, range, reading(input))) parts.push(part);
  return concatBytes(parts);
}

/** What a decoder gives for a slice that comes in pieces of so many bytes. */
function decode(
  digest: B3Digest,
  range: SliceRange,
  slice: Uint8Array,
  options: SliceDecoderOptions & { readonly pieceBytes?: number } = {},
): { readonly content: Uint8Array; readonly inputLength: number | undefined } {
  const { pieceBytes = 700, ...rest } = options;
  const decoder = new SliceDecoder(digest, range, rest);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < slice.byteLength; at += pieceBytes) {
    parts.push(...decoder.push(slice.subarray(at, at + pieceBytes)).map((part) => part.slice()));
  }
  decoder.finish();
  return { content: concatBytes(parts), inputLength: decoder.inputLength };
}

function partOf(input: Uint8Array, { offset, length }: SliceRange): Uint8Array {
  return input.subarray(Math.min(offset, input.byteLength), offset + length);
}

describe("the published vectors of bao", () => {
  it.each(BAO_VECTORS)("give digest and outboard of $inputLength bytes", async (vector) => {
    const input = baoInput(vector.inputLength);
    const tree = treeOf(input, 0);
    expect(tree.digest.toHex()).toBe(vector.digest);
    const outboard = await outboardBytes(tree, tree.digest);
    expect(outboard.byteLength).toBe(vector.outboardLength);
    expect(hash(outboard)).toBe(vector.outboard);
  });

  it.each(BAO_VECTORS)("give the encoding of all $inputLength bytes", async (vector) => {
    const input = baoInput(vector.inputLength);
    const range = { offset: 0, length: vector.inputLength };
    expect(hash(await sliceOf(input, range, 0))).toBe(vector.encoded);
  });

  it.each(BAO_SLICES)(
    "give the slice of $inputLength bytes at $offset, $length",
    async (vector) => {
      const input = baoInput(vector.inputLength);
      const slice = await sliceOf(input, vector, 0);
      expect(slice.byteLength).toBe(vector.sliceLength);
      expect(hash(slice)).toBe(vector.slice);
      const digest = treeOf(input, 0).digest;
      const { content } = decode(digest, vector, slice, { groupLog: 0 });
      expect(toHex(content)).toBe(toHex(partOf(input, vector)));
    },
  );
});

describe("groups of 16 KiB", () => {
  const lengths = [0, 1, 16_383, 16_384, 16_385, 32_768, 32_769, 49_152, 100_000, 262_145, 300_000];

  it.each(lengths)(
    "have the outboard of single chunks without what is inside of them: %i bytes",
    async (length) => {
      const input = seededBytes(1, length);
      const fine = treeOf(input, 0);
      const coarse = treeOf(input, 4);
      expect(coarse.digest.equals(fine.digest)).toBe(true);
      expect(coarse.digest.toHex()).toBe(hash(input));
      const groups = Math.max(1, Math.ceil(length / (16 * KIB)));
      const outboard = await outboardBytes(coarse, coarse.digest);
      expect(outboard.byteLength).toBe(8 + 64 * (groups - 1));
      expect(toHex(outboard)).toBe(
        toHex(withoutInner(await outboardBytes(fine, fine.digest), length)),
      );
    },
  );

  it("have a slice that is the content, its length and the nodes above it", async () => {
    const input = seededBytes(1, 1024 * KIB);
    const slice = await sliceOf(input, { offset: 500 * KIB, length: 4 * KIB }, 4);
    expect(slice.byteLength).toBe(8 + 6 * 64 + 16 * KIB);
  });
});

/** An outboard of single chunks without the nodes inside of groups of 16: parents above 16 chunks stay. */
function withoutInner(outboard: Uint8Array, length: number): Uint8Array {
  const kept: Uint8Array[] = [outboard.subarray(0, 8)];
  let at = 8;
  const visit = (chunks: number): void => {
    if (chunks <= 1) return;
    if (chunks > 16) kept.push(outboard.subarray(at, at + 64));
    at += 64;
    let left = 1;
    while (2 * left < chunks) left *= 2;
    visit(left);
    visit(chunks - left);
  };
  visit(Math.ceil(length / KIB));
  return concatBytes(kept);
}

const arbitraryLength = fc.oneof(
  fc.integer({ min: 0, max: 70_000 }),
  fc.integer({ min: 0, max: 40 }).map((groups) => groups * KIB),
);

describe("encodeSlice() and SliceDecoder", () => {
  it.each([0, 1, 4])(
    "give the bytes of any range, and prove the length at the end: groups of 2^%i chunks",
    async (groupLog) => {
      await fc.assert(
        fc.asyncProperty(
          arbitraryLength,
          fc.nat(80_000),
          fc.nat(40_000),
          fc.integer({ min: 1, max: 20_000 }),
          async (inputLength, offset, length, pieceBytes) => {
            const input = seededBytes(2, inputLength);
            const { digest } = treeOf(input, groupLog);
            const range = { offset, length };
            const slice = await sliceOf(input, range, groupLog);
            const decoded = decode(digest, range, slice, { groupLog, pieceBytes });
            expect(decoded.content).toEqual(partOf(input, range));
            const reachesEnd = offset + Math.max(1, length) >= inputLength;
            if (reachesEnd) expect(decoded.inputLength).toBe(inputLength);
            else expect([undefined, inputLength]).toContain(decoded.inputLength);
          },
        ),
        { seed: 7, numRuns: 60 },
      );
    },
  );

  it("refuse a slice in which any byte is changed", async () => {
    const input = seededBytes(3, 3 * KIB + 10);
    const { digest } = treeOf(input, 0);
    const range = { offset: 1500, length: 2000 };
    const slice = await sliceOf(input, range, 0);
    for (let at = 0; at < slice.byteLength; at++) {
      const changed = slice.slice();
      changed[at] = (changed[at] as number) ^ (1 << (at % 8));
      expect(() => decode(digest, range, changed, { groupLog: 0 }), `byte ${at}`).toThrow(
        expect.objectContaining({ code: "CORRUPT" }),
      );
    }
  });

  it("refuse a slice that is cut off anywhere, or goes on", async () => {
    const input = seededBytes(3, 40 * KIB);
    const { digest } = treeOf(input);
    const range = { offset: 20 * KIB, length: 100 };
    const slice = await sliceOf(input, range, 4);
    const isRefused = (bytes: Uint8Array) =>
      expect(() => decode(digest, range, bytes)).toThrow(
        expect.objectContaining({ code: "CORRUPT" }),
      );
    for (let length = 0; length < slice.byteLength; length += length < 200 ? 1 : 997) {
      isRefused(slice.subarray(0, length));
    }
    isRefused(concatBytes([slice, Uint8Array.of(0)]));
  });

  it("refuse a slice of another range, another input and another group size", async () => {
    const input = seededBytes(3, 100 * KIB);
    const { digest } = treeOf(input);
    const slice = await sliceOf(input, { offset: 20 * KIB, length: 100 }, 4);
    const corrupt = expect.objectContaining({ code: "CORRUPT" });
    expect(() => decode(digest, { offset: 40 * KIB, length: 100 }, slice)).toThrow(corrupt);
    expect(() => decode(digest, { offset: 0, length: 40 * KIB }, slice)).toThrow(corrupt);
    const other = treeOf(seededBytes(4, 100 * KIB)).digest;
    expect(() => decode(other, { offset: 20 * KIB, length: 100 }, slice)).toThrow(corrupt);
    const range = { offset: 20 * KIB, length: 100 };
    expect(() => decode(digest, range, slice, { groupLog: 3 })).toThrow(corrupt);
  });

  it("refuse any other length where the end is read, and where the length is known", async () => {
    const input = seededBytes(5, 50 * KIB);
    const { digest } = treeOf(input);
    const corrupt = expect.objectContaining({ code: "CORRUPT" });
    for (const length of [
      0,
      1,
      16 * KIB,
      50 * KIB - 1,
      50 * KIB + 1,
      64 * KIB,
      100 * KIB,
      2 ** 50,
    ]) {
      const atEnd = { offset: 60 * KIB, length: 0 };
      const slice = await sliceOf(input, atEnd, 4);
      slice.set(encodeLength(length));
      expect(() => decode(digest, atEnd, slice)).toThrow(corrupt);
      const inside = { offset: 0, length: 10 };
      const first = await sliceOf(input, inside, 4);
      first.set(encodeLength(length));
      expect(() => decode(digest, inside, first, { inputLength: 50 * KIB })).toThrow(corrupt);
    }
  });

  it("do not tell a length that is not proved", async () => {
    const input = seededBytes(5, 50 * KIB);
    const { digest } = treeOf(input);
    const range = { offset: 0, length: 10 };
    const slice = await sliceOf(input, range, 4);
    // The left half of the tree is the same for all of these lengths.
    slice.set(encodeLength(60 * KIB));
    const { content, inputLength } = decode(digest, range, slice);
    expect(content).toEqual(input.subarray(0, 10));
    expect(inputLength).toBeUndefined();
  });

  it("refuse lengths that no file has", () => {
    const header = new Uint8Array(8).fill(255);
    const decoder = new SliceDecoder(B3Digest.fromBytes(new Uint8Array(32)), {
      offset: 0,
      length: 1,
    });
    expect(() => decoder.push(header)).toThrow(expect.objectContaining({ code: "CORRUPT" }));
  });

  it("give nothing out of a group that is not complete", async () => {
    const input = seededBytes(6, 40 * KIB);
    const { digest } = treeOf(input);
    const range = { offset: 0, length: 40 * KIB };
    const slice = await sliceOf(input, range, 4);
    const decoder = new SliceDecoder(digest, range);
    expect(decoder.push(slice.subarray(0, 8 + 128 + 16 * KIB - 1))).toEqual([]);
    const [first] = decoder.push(slice.subarray(8 + 128 + 16 * KIB - 1, 8 + 128 + 16 * KIB));
    expect(first).toEqual(input.subarray(0, 16 * KIB));
  });

  it("fail when the tree is that of other bytes, before anything is given out", async () => {
    const input = seededBytes(6, 40 * KIB);
    const other = treeOf(seededBytes(7, 40 * KIB));
    const { digest } = treeOf(input);
    const slice = encodeSlice(other, digest, { offset: 0, length: 1 }, reading(input));
    await expect(slice.next()).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("fail when the content ends early, and close it", async () => {
    const input = seededBytes(6, 40 * KIB);
    const tree = treeOf(input);
    let isClosed = false;
    async function* short(): AsyncGenerator<Uint8Array> {
      try {
        yield input.subarray(0, 20 * KIB);
        yield input.subarray(0, 0);
      } finally {
        isClosed = true;
      }
    }
    const slice = encodeSlice(tree, tree.digest, { offset: 0, length: 40 * KIB }, short);
    await expect(slice.next()).rejects.toMatchObject({ code: "CORRUPT" });
    expect(isClosed).toBe(true);
    isClosed = false;
    const whole = encodeSlice(tree, tree.digest, { offset: 0, length: 1 }, () => short());
    await whole.next();
    await whole.return();
    expect(isClosed).toBe(true);
  });
});

describe("TreeBuilder", () => {
  it("gives the same tree wherever the input is cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 300_000 }), { maxLength: 6 }),
        fc.constantFrom(0, 4),
        (cuts, groupLog) => {
          const length = cuts.reduce((sum, cut) => sum + cut, 0);
          const input = seededBytes(8, length);
          const whole = treeOf(input, groupLog);
          const builder = new TreeBuilder(groupLog);
          const pages: Uint8Array[] = [];
          let at = 0;
          for (const cut of cuts) {
            for (const page of builder.push(input.subarray(at, at + cut))) pages.push(page.parents);
            at += cut;
          }
          const { pages: more, tree } = builder.finish();
          pages.push(...more.map(({ parents }) => parents), tree.page.parents);
          expect(tree.digest.toHex()).toBe(whole.digest.toHex());
          expect(tree.length).toBe(length);
          expect(tree.top).toEqual(whole.top);
          for (const [i, page] of pages.entries()) expect(page).toEqual(whole.page(i));
        },
      ),
      { seed: 9, numRuns: 30 },
    );
  });

  it.each([PAGE_GROUPS, PAGE_GROUPS + 1, 2 * PAGE_GROUPS, 9 * PAGE_GROUPS + 7])(
    "gives pages that go together: %i groups",
    async (groups) => {
      const input = seededBytes(10, groups * KIB - 100);
      const tree = treeOf(input, 0);
      expect(tree.digest.toHex()).toBe(hash(input));
      const outboard = await outboardBytes(tree, tree.digest);
      expect(outboard.byteLength).toBe(8 + 64 * (groups - 1));
      const read = treeOfOutboard(outboard, 0);
      expect(read.top).toEqual(tree.top);
      for (let i = 0; i * PAGE_GROUPS < groups; i++) {
        expect(await read.page(i)).toEqual(await tree.page(i));
      }
      const range = { offset: PAGE_GROUPS * KIB - 700, length: 600 };
      const slice = encodeSlice(read, tree.digest, range, reading(input));
      const parts: Uint8Array[] = [];
      for await (const part of slice) parts.push(part);
      const decoded = decode(tree.digest, range, concatBytes(parts), { groupLog: 0 });
      expect(decoded.content).toEqual(partOf(input, range));
    },
  );
});

describe("treeOfOutboard()", () => {
  it.each([
    ["nothing", new Uint8Array(0)],
    ["a part of a length", new Uint8Array(7)],
    ["a length that no file has", new Uint8Array(8).fill(255)],
    ["too few nodes", encodeLength(16 * KIB + 1)],
    ["too many nodes", new Uint8Array(8 + 64)],
  ])("refuses %s", (_name, bytes) => {
    expect(() => treeOfOutboard(bytes, 4)).toThrow(expect.objectContaining({ code: "CORRUPT" }));
  });

  it("leaves it to what uses the nodes to compare them", async () => {
    const input = seededBytes(11, 100 * KIB);
    const { digest } = treeOf(input);
    const outboard = await outboardBytes(treeOf(input), digest);
    outboard[100] = (outboard[100] as number) ^ 1;
    const tree = treeOfOutboard(outboard, 4);
    await expect(outboardBytes(tree, digest)).rejects.toMatchObject({ code: "CORRUPT" });
  });
});
