import { SeededRandom } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { StoreError } from "../errors.js";
import { DEEPEST_NAR, EVIL_NARS } from "../testing/evil-nars.js";
import { mutate } from "../testing/nar-mutations.js";
import {
  cut,
  fileNarNode,
  narDirectory,
  narStrings,
  symlinkNarNode,
} from "../testing/nar-strings.js";
import { NarFormatError } from "./nar-format-error.js";
import { NarParser } from "./nar-parser.js";

/** Reads it, cut in pieces; returns how many events there were. */
function parse(nar: Uint8Array, length: number): number {
  const parser = new NarParser();
  let events = 0;
  for (const chunk of cut(nar, length)) {
    parser.push(chunk);
    while (parser.next() !== undefined) events++;
  }
  parser.end();
  return events;
}

function failureOf(nar: Uint8Array, length: number): unknown {
  try {
    parse(nar, length);
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Every kind of node, padded and not. */
const PLAIN = narDirectory(
  ["a", fileNarNode("12345678")],
  ["b", narStrings("(", "type", "regular", "executable", "", "contents", "123", ")")],
  ["c", symlinkNarNode("/t")],
  [
    "d",
    narStrings(
      "(",
      "type",
      "directory",
      "entry",
      "(",
      "name",
      "e",
      "node",
      [fileNarNode("")],
      ")",
      ")",
    ),
  ],
);

describe("NarParser", () => {
  it.each(EVIL_NARS.map(([what, nar, reason, offset]) => ({ what, nar, reason, offset })))(
    "refuses $what",
    ({ nar, reason, offset }) => {
      for (const length of [nar.byteLength + 1, 1, 13]) {
        const error = failureOf(nar, length);
        expect(error).toBeInstanceOf(NarFormatError);
        expect(StoreError.is(error, "INVALID_ARGUMENT")).toBe(true);
        expect(error).toMatchObject({ reason, ...(offset === undefined ? {} : { offset }) });
        expect((error as NarFormatError).message).toMatch(/^Cannot read NAR: [^\n]+, at byte \d+$/);
      }
    },
  );

  it("says what was there instead of what", () => {
    const nar = narStrings("nix-archive-1", "(", "kind", "regular", "contents", "", ")");
    expect((failureOf(nar, 1000) as Error).message).toBe(
      'Cannot read NAR: expected "type", got "kind", at byte 40',
    );
  });

  it("reads as deep as Nix does", () => {
    expect(parse(DEEPEST_NAR, 1000)).toBe(2 * 63 + 3);
  });

  it("refuses a NAR that ends early, at every byte", () => {
    expect(parse(PLAIN, 1000)).toBeGreaterThan(10);
    for (let length = 0; length < PLAIN.byteLength; length++) {
      for (const pieces of [1, 1000]) {
        const error = failureOf(PLAIN.subarray(0, length), pieces);
        expect(error).toMatchObject({ reason: "unexpected-end", offset: length });
      }
    }
  });

  it("refuses every change of a bit outside content, names and targets", () => {
    let accepted = 0;
    for (let bit = 0; bit < 8 * PLAIN.byteLength; bit++) {
      const changed = PLAIN.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      const error = failureOf(changed, 1000);
      if (error === undefined) accepted++;
      else expect(error).toBeInstanceOf(NarFormatError);
    }
    // 11 bytes of content; names and the target are free in part. Lengths of content never are.
    expect(accepted).toBeGreaterThan(11 * 8);
    expect(accepted).toBeLessThanOrEqual((11 + 5 + 2) * 8);
  });

  it("counts the entries of a directory", () => {
    const nar = narDirectory(
      ["a", fileNarNode("")],
      ["b", fileNarNode("")],
      ["c", fileNarNode("")],
    );
    const read = (maxDirectoryEntries: number) => {
      const parser = new NarParser({ maxDirectoryEntries });
      parser.push(nar);
      while (parser.next() !== undefined);
    };
    expect(() => read(3)).not.toThrow();
    expect(() => read(2)).toThrow(expect.objectContaining({ reason: "too-many-entries" }));
  });

  it("bounds the length of a file", () => {
    const parser = new NarParser({ maxFileBytes: 7 });
    parser.push(narStrings("nix-archive-1", [fileNarNode("12345678")]));
    expect(() => parser.next()).toThrow(expect.objectContaining({ reason: "file-too-large" }));
  });

  it("throws nothing but its own errors, whatever comes", () => {
    const random = new SeededRandom(70);
    let refused = 0;
    for (let run = 0; run < 20_000; run++) {
      const nar = mutate(PLAIN, random);
      const error = failureOf(nar, random.pick([1000, 31, 8]));
      if (error === undefined) continue;
      refused++;
      if (!(error instanceof NarFormatError)) throw new Error(`run ${run}`, { cause: error });
    }
    expect(refused).toBeGreaterThan(15_000);
    expect(refused).toBeLessThan(20_000);
  });
});
