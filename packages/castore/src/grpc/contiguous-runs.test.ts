import { describe, expect, it } from "vitest";
import { contiguousRuns } from "./contiguous-runs.js";

describe("contiguousRuns()", () => {
  const memory = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
  const other = Uint8Array.of(8, 9);
  const at = (start: number, end: number) => memory.subarray(start, end);

  it.each<[string, Uint8Array[], Uint8Array[]]>([
    ["none", [], []],
    ["one", [at(2, 4)], [at(2, 4)]],
    ["neighbours", [at(1, 3), at(3, 3), at(3, 6)], [at(1, 6)]],
    ["a gap", [at(0, 2), at(3, 4), at(4, 5)], [at(0, 2), at(3, 5)]],
    ["another order", [at(3, 4), at(2, 3)], [at(3, 4), at(2, 3)]],
    ["other memory", [at(0, 2), other, at(2, 3)], [at(0, 2), other, at(2, 3)]],
    ["empty ones", [at(0, 0), other.subarray(0, 0)], [at(0, 0), other.subarray(0, 0)]],
  ])("puts together %s", (_name, parts, expected) => {
    expect(contiguousRuns(parts)).toEqual(expected);
  });

  it("copies nothing", () => {
    const [run] = contiguousRuns([at(1, 3), at(3, 6)]);
    expect(run?.buffer).toBe(memory.buffer);
    expect(run?.byteOffset).toBe(1);
  });
});
