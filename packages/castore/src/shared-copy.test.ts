import { describe, expect, it } from "vitest";
import { copyInto } from "./shared-copy.js";

/** Several steps of a copy, the last one of odd length. */
const LENGTH = 3 * 64 * 1024 + 13;

const MEMORIES = {
  own: (length: number) => new Uint8Array(length),
  shared: (length: number) => new Uint8Array(new SharedArrayBuffer(length)),
} as const;

const CASES = (["own", "shared"] as const).flatMap((from) =>
  (["own", "shared"] as const).flatMap((to) =>
    [0, 1, 5].flatMap((start) => [0, 3, 5].map((offset) => ({ from, to, start, offset }))),
  ),
);

describe("copyInto()", () => {
  it.each(CASES)("copies from $from memory at $start to $to memory at $offset", (one) => {
    const source = MEMORIES[one.from](LENGTH + one.start).subarray(one.start);
    source.forEach((_, i) => {
      source[i] = (i * 31) ^ (i >>> 8);
    });
    const around = MEMORIES[one.to](LENGTH + 32).fill(0xaa);
    copyInto(around.subarray(8), one.offset, source);
    const start = 8 + one.offset;
    expect(Buffer.compare(around.subarray(start, start + LENGTH), source)).toBe(0);
    expect(around.subarray(0, start).every((byte) => byte === 0xaa)).toBe(true);
    expect(around.subarray(start + LENGTH).every((byte) => byte === 0xaa)).toBe(true);
  });

  it("copies nothing", () => {
    const target = Uint8Array.of(1, 2);
    copyInto(target, 2, new Uint8Array(0));
    expect(target).toEqual(Uint8Array.of(1, 2));
  });

  it("fails where there is no room", () => {
    const target = new Uint8Array(new SharedArrayBuffer(500));
    expect(() => copyInto(target, 1, new Uint8Array(500))).toThrow(RangeError);
  });
});
