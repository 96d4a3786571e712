import { describe, expect, it } from "vitest";
import { BlockAllocator } from "./byte-block.js";
import { SeededRandom } from "./testing/seeded-random.js";

describe("BlockAllocator", () => {
  it("keeps every value apart from the others, whatever their lengths", () => {
    const random = new SeededRandom(1);
    const allocator = new BlockAllocator();
    const kept = Array.from({ length: 2000 }, (_, i) => {
      const source = random.bytes(i % 100 === 0 ? 3000 : random.below(256));
      const end = source.byteLength;
      const start = Math.min(end, random.below(4));
      const offset = allocator.copy(source, start, end);
      return { expected: source.subarray(start, end), block: allocator.block, offset };
    });
    for (const { expected, block, offset } of kept) {
      const actual = block.subarray(offset, offset + expected.byteLength);
      expect(Buffer.compare(actual, expected)).toBe(0);
    }
  });

  it("shares blocks, and gives a value that fits none one of its own", () => {
    const allocator = new BlockAllocator();
    const blocks = new Set<Uint8Array>();
    for (let i = 0; i < 64; i++) {
      allocator.copy(new Uint8Array(32), 0, 32);
      blocks.add(allocator.block);
    }
    expect(blocks.size).toBe(2);
    expect(allocator.copy(new Uint8Array(2000), 0, 2000)).toBe(0);
    expect(allocator.block.byteLength).toBe(2000);
  });
});
