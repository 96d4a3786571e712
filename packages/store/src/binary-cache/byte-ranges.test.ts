import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ByteSpan, chooseRanges, MAX_RANGES } from "./byte-ranges.js";

const SIZE = 1000;

function span(start: number, end: number): ByteSpan {
  return { start, end };
}

describe("chooseRanges()", () => {
  it.each([
    ["bytes=0-0", [span(0, 1)]],
    ["bytes=0-", [span(0, 1000)]],
    ["bytes=999-", [span(999, 1000)]],
    ["bytes=10-19", [span(10, 20)]],
    ["bytes=10-99999", [span(10, 1000)]],
    ["bytes=-1", [span(999, 1000)]],
    ["bytes=-1000", [span(0, 1000)]],
    ["bytes=-5000", [span(0, 1000)]],
    ["bytes=9-99999999999999999999999999", [span(9, 1000)]],
    ["BYTES=1-2", [span(1, 3)]],
    ["  bytes=1-2  ", [span(1, 3)]],
    ["bytes=0-0,-1", [span(0, 1), span(999, 1000)]],
    ["bytes=0-0, ,5-5,", [span(0, 1), span(5, 6)]],
    ["bytes=5-5\t, 3-3", [span(5, 6), span(3, 4)]],
    ["bytes=0-1,1000-,2-3", [span(0, 2), span(2, 4)]],
    ["bytes=0-9,0-9", [span(0, 10), span(0, 10)]],
  ] as const)("reads %j", (header, expected) => {
    expect(chooseRanges(header, SIZE)).toEqual(expected);
  });

  it.each(["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=5000-,6000-7000"])(
    "finds nothing in %j",
    (header) => {
      expect(chooseRanges(header, SIZE)).toBe("unsatisfiable");
    },
  );

  it.each([
    undefined,
    "",
    "bytes",
    "bytes=",
    "bytes=,",
    "bytes=-",
    "bytes=a-b",
    "bytes=1",
    "bytes=2-1",
    "bytes=0-1,2-1",
    "bytes=0x1-2",
    "bytes=1.5-2",
    "bytes=+1-2",
    "bytes=1--2",
    "bytes=0-1;2-3",
    "bytes =0-1",
    "items=0-1",
    "bytes=0-1, items=2-3",
    "bytes=\u0661-\u0662",
    "bytes=0-\u00002",
  ])("ignores %j", (header) => {
    expect(chooseRanges(header, SIZE)).toBe("whole");
  });

  it("ignores what asks for more than there is, or for too many parts", () => {
    expect(chooseRanges("bytes=0-,0-0", SIZE)).toBe("whole");
    expect(chooseRanges("bytes=0-599,400-", SIZE)).toBe("whole");
    const many = (count: number) => `bytes=${Array.from({ length: count }, (_, i) => `${i}-${i}`)}`;
    expect(chooseRanges(many(MAX_RANGES), SIZE)).toHaveLength(MAX_RANGES);
    expect(chooseRanges(many(MAX_RANGES + 1), SIZE)).toBe("whole");
    expect(chooseRanges(`bytes=${"0".repeat(10_000)}-1`, SIZE)).toBe("whole");
  });

  it("has nothing to give of nothing", () => {
    for (const header of ["bytes=0-", "bytes=-1", "bytes=0-0"]) {
      expect(chooseRanges(header, 0)).toBe("unsatisfiable");
    }
  });

  it("gives parts of the whole, and no more than it, whatever is sent", () => {
    const piece = fc.oneof(
      fc.constantFrom("bytes", "=", "-", ",", " ", "\t", "0", "999", "1000", ";", "x"),
      fc.nat({ max: 2000 }).map(String),
      fc.string({ maxLength: 3 }),
    );
    const header = fc.oneof(
      fc.array(piece, { maxLength: 30 }).map((parts) => parts.join("")),
      fc.array(piece, { maxLength: 30 }).map((parts) => `bytes=${parts.join("")}`),
    );
    const size = fc.oneof(fc.constant(0), fc.nat({ max: 2000 }), fc.constant(2 ** 53 - 1));
    fc.assert(
      fc.property(header, size, (text, length) => {
        const choice = chooseRanges(text, length);
        if (typeof choice === "string") return;
        expect(choice.length).toBeGreaterThan(0);
        expect(choice.length).toBeLessThanOrEqual(MAX_RANGES);
        let total = 0;
        for (const { start, end } of choice) {
          expect(Number.isSafeInteger(start) && Number.isSafeInteger(end)).toBe(true);
          expect(start >= 0 && start < end && end <= length).toBe(true);
          total += end - start;
        }
        expect(total).toBeLessThanOrEqual(length);
      }),
      { seed: 20_261_121, numRuns: 5000 },
    );
  });
});
