import { describe, expect, it } from "vitest";
import { concatBytes } from "../bytes.js";
import { Chunker } from "../chunking/chunker.js";
import { chunkSizes } from "../chunking/fastcdc.js";
import { blake3 } from "../hasher/blake3.js";
import { seededBytes } from "../testing/seeded-random.js";
import { BlobCutter, MAX_PIECE_BYTES } from "./blob-cutter.js";

const BLOB = seededBytes(20, 7_000_001);

function pieces(bytes: Uint8Array, length: number): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; at += length) {
    const piece = new Uint8Array(new SharedArrayBuffer(Math.min(length, bytes.byteLength - at)));
    piece.set(bytes.subarray(at, at + length));
    all.push(piece);
  }
  return all;
}

function referenceLengths(bytes: Uint8Array): readonly number[] {
  const chunker = new Chunker(chunkSizes());
  return [...chunker.push(bytes), ...chunker.finish()].flatMap(({ lengths }) => lengths);
}

/** What comes of a blob that is fed in such pieces, the last of which is empty or not. */
function cutAll(cutter: BlobCutter, name: number, parts: readonly Uint8Array[]) {
  const chunks: Uint8Array[] = [];
  let whole: Uint8Array | undefined;
  parts.forEach((part, i) => {
    const cut = cutter.add(name, part, i === parts.length - 1);
    // They are good until the next call only.
    chunks.push(...cut.chunks.map((chunk) => chunk.slice()));
    whole = cut.whole;
  });
  return { chunks, whole };
}

describe("BlobCutter", () => {
  it.each([65_536, 300_001, MAX_PIECE_BYTES])(
    "cuts pieces of %s bytes like the whole, and hashes it",
    (length) => {
      const { chunks, whole } = cutAll(new BlobCutter(), 1, pieces(BLOB, length));
      expect(chunks.map(({ byteLength }) => byteLength)).toEqual(referenceLengths(BLOB));
      expect(Buffer.compare(concatBytes(chunks), BLOB)).toBe(0);
      expect(whole).toEqual(blake3(BLOB).toBytes());
    },
  );

  it("ends a blob with a piece of nothing", () => {
    const parts = [...pieces(BLOB.subarray(0, 2_000_000), 500_000), new Uint8Array(0)];
    const { chunks, whole } = cutAll(new BlobCutter(), 1, parts);
    expect(chunks.map(({ byteLength }) => byteLength)).toEqual(
      referenceLengths(BLOB.subarray(0, 2_000_000)),
    );
    expect(whole).toEqual(blake3(BLOB.subarray(0, 2_000_000)).toBytes());
  });

  it("keeps blobs apart that come at the same time, and forgets one that is abandoned", () => {
    const cutter = new BlobCutter();
    const [a, b] = [BLOB.subarray(0, 3_000_000), BLOB.subarray(1_000_000, 4_000_000)];
    const inPieces = { a: pieces(a, 1_000_000), b: pieces(b, 1_000_000) };
    cutter.add(3, BLOB.subarray(0, 100_000), false);
    cutter.abandon(3);
    const got = { a: [] as Uint8Array[], b: [] as Uint8Array[] };
    const wholes: (Uint8Array | undefined)[] = [];
    for (let i = 0; i < 3; i++) {
      for (const name of ["a", "b"] as const) {
        const cut = cutter.add(name === "a" ? 1 : 2, inPieces[name][i] as Uint8Array, i === 2);
        got[name].push(...cut.chunks.map((chunk) => chunk.slice()));
        if (i === 2) wholes.push(cut.whole);
      }
    }
    expect(Buffer.compare(concatBytes(got.a), a)).toBe(0);
    expect(Buffer.compare(concatBytes(got.b), b)).toBe(0);
    expect(wholes).toEqual([blake3(a).toBytes(), blake3(b).toBytes()]);
    const again = cutAll(cutter, 3, pieces(a, 1_000_000));
    expect(again.whole).toEqual(blake3(a).toBytes());
  });
});
