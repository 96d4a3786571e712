import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { concatBytes } from "../bytes.js";
import { blake3 } from "../hasher/blake3.js";
import { type ChunkBatch, Chunker } from "./chunker.js";
import { type ChunkSizes, chunkSizes, cutChunks } from "./fastcdc.js";
import { GEAR_HEX } from "./gear-table.js";

/** Bytes 0 to 254, 4096 times: BLOB_B of the test vectors. */
const BLOB_B = Uint8Array.from({ length: 255 * 4096 }, (_, i) => i % 255);

/** sha256 of the little-endian counters 0 to 65535, one after the other: 2 MiB. */
function counterStream(): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let i = 0; i < 65_536; i++) {
    const counter = new Uint8Array(8);
    new DataView(counter.buffer).setUint32(0, i, true);
    parts.push(createHash("sha256").update(counter).digest());
  }
  return concatBytes(parts);
}

/** The algorithm once more, slow and plain, with arbitrary-precision numbers. */
function referenceCut(
  bytes: Uint8Array,
  sizes: ChunkSizes,
  masks: { s: bigint; l: bigint },
): number {
  const gear = (byte: number) => BigInt(`0x${GEAR_HEX.slice(16 * byte, 16 * byte + 16)}`);
  let n = bytes.length;
  if (n <= sizes.min) return n;
  let center = sizes.average;
  if (n > sizes.max) n = sizes.max;
  else if (n < center) center = n;
  let hash = 0n;
  for (let i = Math.floor(sizes.min / 2); i < Math.floor(n / 2); i++) {
    const mask = i < Math.floor(center / 2) ? masks.s : masks.l;
    hash = BigInt.asUintN(64, (hash << 2n) + (gear(bytes[2 * i] ?? 0) << 1n));
    if ((hash & (mask << 1n)) === 0n) return 2 * i;
    hash = BigInt.asUintN(64, hash + gear(bytes[2 * i + 1] ?? 0));
    if ((hash & mask) === 0n) return 2 * i + 1;
  }
  return n;
}

describe("GEAR_HEX", () => {
  it("is made of the MD5 of 64 equal bytes", () => {
    const expected = Array.from({ length: 256 }, (_, byte) =>
      createHash("md5").update(new Uint8Array(64).fill(byte)).digest("hex").slice(0, 16),
    ).join("");
    expect(GEAR_HEX).toBe(expected);
  });
});

describe("cutChunks()", () => {
  it("cuts BLOB_B where the reference does", () => {
    const lengths = cutChunks(BLOB_B, chunkSizes(), true);
    expect(lengths).toEqual([524_288, 520_192]);
    const digests = [BLOB_B.subarray(0, 524_288), BLOB_B.subarray(524_288)].map((chunk) =>
      blake3(chunk).toHex(),
    );
    expect(digests).toEqual([
      "79445f0f1420045f8be59af5f7915cfd9182c978ece11a21913641e457fa9794",
      "832c7fbdbe9a537273cfe0299195a09ba7d08b6da842ab25fea373d739e9c5ac",
    ]);
  });

  it("cuts BLOB_B into 820 chunks at an average of 1024", () => {
    const lengths = cutChunks(BLOB_B, chunkSizes(1024), true);
    expect(lengths.length).toBe(820);
    expect(lengths.slice(0, 3)).toEqual([1130, 1275, 1275]);
    expect(lengths.at(-1)).toBe(400);
  });

  it("cuts random bytes where the reference does", () => {
    expect(cutChunks(counterStream(), chunkSizes(), true)).toEqual([
      462_774, 320_973, 413_911, 284_840, 423_186, 191_468,
    ]);
  });

  it("agrees with a plain implementation for odd lengths and odd sizes", () => {
    const bytes = counterStream().subarray(0, 40_001);
    const masks = { s: 0xd90003530000n, l: 0x19000353000n };
    for (const average of [1001, 1024, 1027]) {
      const sizes = chunkSizes(average);
      let offset = 0;
      for (const length of cutChunks(bytes, sizes, true)) {
        expect(length).toBe(referenceCut(bytes.subarray(offset), sizes, masks));
        offset += length;
      }
      expect(offset).toBe(bytes.byteLength);
    }
  });

  it("leaves what is not certain yet", () => {
    const lengths = cutChunks(BLOB_B, chunkSizes(), false);
    expect(lengths).toEqual([524_288]);
  });
});

describe("chunkSizes()", () => {
  it.each([0, 255, 1.5, Number.NaN, 4 * 1024 * 1024 + 1])("refuses an average of %s", (average) => {
    expect(() => chunkSizes(average)).toThrow(RangeError);
  });
});

describe("Chunker", () => {
  const whole = counterStream();

  it.each([1_000, 65_536, 300_001, 5_000_000])(
    "cuts pieces of %s bytes like the whole",
    (pieceBytes) => {
      const long = concatBytes([whole, whole, whole.subarray(0, 1_000_003)]);
      const chunker = new Chunker(chunkSizes());
      const batches: ChunkBatch[] = [];
      for (let offset = 0; offset < long.byteLength; offset += pieceBytes) {
        const piece = long.slice(offset, offset + pieceBytes);
        batches.push(...chunker.push(piece), ...chunker.push(new Uint8Array(0)));
        piece.fill(0);
      }
      batches.push(...chunker.finish());
      expect(batches.flatMap((batch) => batch.lengths)).toEqual(
        cutChunks(long, chunkSizes(), true),
      );
      const joined = concatBytes(batches.map((batch) => batch.bytes));
      expect(blake3(joined).toHex()).toBe(blake3(long).toHex());
    },
  );

  it("has no chunk for nothing", () => {
    expect([...new Chunker(chunkSizes()).finish()]).toEqual([]);
  });
});
