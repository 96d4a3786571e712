import { concatBytes, toUtf8 } from "@tvix/castore";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseNarinfo } from "../narinfo/parse.js";
import { encodeNixBase32, NIXBASE32_ALPHABET } from "../nixbase32.js";
import { sortedStorePaths } from "../store-path/sorted.js";
import { StorePath } from "../store-path/store-path.js";
import { referenceNar } from "../testing/nar-reference.js";
import { NIX_PATHS } from "../testing/nix-paths.js";
import { ReferenceScanner } from "./reference-scanner.js";

const DIGEST = "5sghw35jqr9bl3i06pb0yv636axdgg4c";
const PATH = StorePath.parse(`${DIGEST}-text-b`);
const OTHER = StorePath.parse("8zp962jbwypd6dgbmb5w039dig9z7nd3-text-a");

function scan(
  candidates: readonly StorePath[],
  ...pieces: readonly string[]
): readonly StorePath[] {
  const scanner = ReferenceScanner.of(candidates);
  for (const piece of pieces) scanner.push(toUtf8(piece));
  return scanner.found();
}

describe("ReferenceScanner", () => {
  it.each([
    DIGEST,
    `/nix/store/${DIGEST}-text-b`,
    `${"0".repeat(31)}${DIGEST}`,
    `${DIGEST}${"0".repeat(31)}`,
    `${DIGEST.slice(0, 31)}${DIGEST}`,
    `${"e".repeat(1000)}${DIGEST}e`,
    `é${DIGEST}é`,
  ])("finds a digest in %.60s", (text) => {
    expect(scan([OTHER, PATH], text)).toEqual([PATH]);
  });

  it.each(["", "text-b", DIGEST.slice(1), DIGEST.slice(0, -1), DIGEST.toUpperCase()])(
    "finds none in %j",
    (text) => {
      expect(scan([PATH], text)).toEqual([]);
    },
  );

  it("finds a digest wherever it is cut", () => {
    const text = `abc${DIGEST}def`;
    for (let cut = 0; cut <= text.length; cut++) {
      expect(scan([PATH], text.slice(0, cut), "", text.slice(cut))).toEqual([PATH]);
    }
    expect(scan([PATH], ...text)).toEqual([PATH]);
  });

  it("finds digests that overlap", () => {
    const long = `${DIGEST}0123456789`;
    const paths = [0, 1, 5, 10].map((at) => StorePath.parse(`${long.slice(at, at + 32)}-x`));
    expect(scan(paths, long)).toEqual(paths);
    expect(scan(paths, ...long)).toEqual(paths);
  });

  it("finds candidates of one digest together", () => {
    const namesake = StorePath.parse(`${DIGEST}-other`);
    expect(scan([namesake, OTHER, PATH], DIGEST)).toEqual([namesake, PATH]);
  });

  it("takes digests for candidates", () => {
    const digests = [OTHER, PATH].map((path) => path.digestBytes());
    const scanner = ReferenceScanner.of(digests);
    scanner.push(toUtf8(DIGEST));
    expect(scanner.found()).toEqual([digests[1]]);
    expect(() => ReferenceScanner.of([new Uint8Array(19)])).toThrow(RangeError);
  });

  it("joins nothing across what is separate", () => {
    const scanner = ReferenceScanner.of([PATH]);
    scanner.push(toUtf8(DIGEST.slice(0, 20)));
    scanner.separate();
    scanner.push(toUtf8(DIGEST.slice(20)));
    expect(scanner.found()).toEqual([]);
  });

  it("knows when nothing is left to find", () => {
    const scanner = ReferenceScanner.of([PATH, OTHER]);
    expect(scanner.complete).toBe(false);
    scanner.push(toUtf8(DIGEST));
    expect(scanner.complete).toBe(false);
    scanner.push(toUtf8(OTHER.baseName));
    expect(scanner.complete).toBe(true);
    expect(scanner.found()).toEqual([PATH, OTHER]);
    expect(ReferenceScanner.of([]).complete).toBe(true);
  });

  it("finds what the references of Nix are", () => {
    const all = NIX_PATHS.map(({ narinfo }) => parseNarinfo(narinfo));
    const paths = sortedStorePaths(
      all.flatMap(({ storePath, references }) => [storePath, ...references]),
    );
    NIX_PATHS.forEach(({ tree }, i) => {
      if (tree === undefined) return;
      const scanner = ReferenceScanner.of(paths);
      scanner.push(referenceNar(tree));
      expect(scanner.found().map(String)).toEqual(all[i]?.references.map(String));
    });
  });

  it("finds what a plain search finds, among thousands, however the bytes are cut", () => {
    const digests = Array.from({ length: 2000 }, (_, i) =>
      Uint8Array.from({ length: 20 }, (_, j) => (i * 7919 + j * j * 31 + (i >> 3) * j) & 0xff),
    );
    const texts = digests.map((digest) => encodeNixBase32(digest));
    const noise = fc.oneof(
      fc.string({ unit: fc.constantFrom(...NIXBASE32_ALPHABET), maxLength: 50 }),
      fc.string({ unit: fc.constantFrom(..."eout -/\0"), maxLength: 50 }),
      fc.string({ maxLength: 20 }),
    );
    const index = fc.nat(texts.length - 1);
    const hit = index.map((i) => texts[i] as string);
    const nearMiss = fc
      .tuple(hit, fc.nat(31), fc.constantFrom(..."0e"))
      .map(([text, at, character]) => text.slice(0, at) + character + text.slice(at + 1));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(noise, hit, nearMiss), { maxLength: 12 }),
        fc.array(fc.integer({ min: 0, max: 80 }), { minLength: 1, maxLength: 8 }),
        (pieces, sizes) => {
          const content = pieces.join("");
          const scanner = ReferenceScanner.of(digests);
          const bytes = toUtf8(content);
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = i > 50 ? bytes.length : (sizes[i % sizes.length] as number);
            scanner.push(bytes.subarray(at, at + size));
            at += size;
          }
          expect(scanner.found()).toEqual(
            digests.filter((_, i) => content.includes(texts[i] as string)),
          );
        },
      ),
      { seed: 406, numRuns: 100 },
    );
  });

  it("keeps no bytes that it is given", () => {
    const scanner = ReferenceScanner.of([PATH]);
    const piece = toUtf8(DIGEST.slice(0, 20));
    scanner.push(piece);
    piece.fill(0);
    scanner.push(concatBytes([toUtf8(DIGEST.slice(20))]));
    expect(scanner.found()).toEqual([PATH]);
  });
});
