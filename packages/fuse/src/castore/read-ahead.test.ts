import { SeededRandom } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { ReadAhead } from "./read-ahead.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const READ = 128 * KIB;

/** Reads from `start` on, so many times in a row. @returns how much was asked for ahead, in all */
function readInOrder(ahead: ReadAhead, start: number, reads: number): number {
  let asked = 0;
  for (let i = 0; i < reads; i++) {
    const span = ahead.note(start + i * READ, start + (i + 1) * READ);
    if (span !== undefined) asked += span.end - span.start;
  }
  return asked;
}

describe("ReadAhead.note()", () => {
  it("asks for nothing at the first read, also at the beginning of a file", () => {
    expect(new ReadAhead(64 * MIB, 8 * MIB).note(0, READ)).toBeUndefined();
  });

  it("asks for what follows at the second read in order", () => {
    const ahead = new ReadAhead(64 * MIB, 8 * MIB);
    ahead.note(MIB, MIB + READ);
    expect(ahead.note(MIB + READ, MIB + 2 * READ)).toEqual({
      start: MIB + 2 * READ,
      end: MIB + 2 * READ + 512 * KIB,
    });
  });

  it("asks for every byte once, ahead of the reader by up to the window", () => {
    const size = 64 * MIB;
    const ahead = new ReadAhead(size, 8 * MIB);
    let expected = 2 * READ;
    let farthest = 0;
    for (let at = 0; at < size; at += READ) {
      const span = ahead.note(at, at + READ);
      if (span === undefined) continue;
      expect(span.start).toBe(expected);
      expected = span.end;
      farthest = Math.max(farthest, span.end - at - READ);
    }
    expect(expected).toBe(size);
    expect(farthest).toBe(8 * MIB);
  });

  it("recognises several readers of one file", () => {
    const ahead = new ReadAhead(1024 * MIB, MIB);
    const starts = [0, 100 * MIB, 200 * MIB, 300 * MIB];
    let asked = 0;
    for (let i = 0; i < 16; i++) {
      for (const start of starts) asked += readInOrder(ahead, start + i * READ, 1);
    }
    expect(asked).toBeGreaterThanOrEqual(starts.length * 14 * READ);
  });

  it("goes on where reads come in another order than they were sent", () => {
    const ahead = new ReadAhead(64 * MIB, 4 * MIB);
    let asked = 0;
    for (let i = 0; i < 64; i += 2) {
      for (const block of [i + 1, i]) {
        const span = ahead.note(block * READ, (block + 1) * READ);
        if (span !== undefined) asked += span.end - span.start;
      }
    }
    expect(asked).toBeGreaterThanOrEqual(60 * READ);
  });

  it("asks for nothing where reads are scattered", () => {
    const ahead = new ReadAhead(1024 * MIB, 8 * MIB);
    for (let i = 0; i < 1000; i++) {
      const at = ((i * 7919) % 1000) * MIB;
      expect(ahead.note(at, at + 4 * KIB)).toBeUndefined();
    }
  });

  it("takes few random reads for neighbours", () => {
    const ahead = new ReadAhead(256 * MIB, 8 * MIB);
    const random = new SeededRandom(3);
    let asked = 0;
    for (let i = 0; i < 5000; i++) {
      const at = random.below(64 * KIB) * 4 * KIB;
      if (ahead.note(at, at + 4 * KIB) !== undefined) asked++;
    }
    expect(asked).toBeLessThan(20);
  });

  it("asks for nothing behind the end", () => {
    const ahead = new ReadAhead(3 * READ + 5, 8 * MIB);
    ahead.note(0, READ);
    expect(ahead.note(READ, 2 * READ)).toEqual({ start: 2 * READ, end: 3 * READ + 5 });
    expect(ahead.note(2 * READ, 3 * READ)).toBeUndefined();
    expect(ahead.note(3 * READ, 3 * READ + 5)).toBeUndefined();
  });
});
