import { describe, expect, it } from "vitest";
import { copyBytes, toHex, toUtf8 } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import { seededBytes } from "../testing/seeded-random.js";
import { loadZstd } from "./compression.js";
import {
  isContentAddressed,
  parseRecordHeader,
  RECORD_HEADER_LENGTH,
  RecordCodec,
  RecordKind,
} from "./pack-format.js";
import {
  describeRecord,
  encodeRecord,
  maxRecordLength,
  openPayload,
  writeRecord,
} from "./record.js";

const zstd = await loadZstd();

const KINDS = Object.entries(RecordKind);
const TEXT = new Uint8Array(700).fill(0x61);
const NOISE = seededBytes(1, 150);

/** The key that a record of `kind` has to have. */
function keyOf(kind: RecordKind, raw: Uint8Array): Uint8Array {
  return isContentAddressed(kind) ? blake3(raw).toBytes() : seededBytes(2, 32);
}

function open(record: Uint8Array): Uint8Array {
  const header = parseRecordHeader(record, 0);
  if (header === undefined) throw new CastoreError("CORRUPT", "no header");
  return openPayload(header, record.subarray(RECORD_HEADER_LENGTH), zstd);
}

describe("encodeRecord()", () => {
  const abc = toUtf8("abc");
  const digest = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
  it.each([
    ["CHUNK", "01", digest, "0000000000000000"],
    ["CHUNK_LIST", "02", "07".repeat(32), "6437b3ac38465133"],
    ["DIRECTORY", "03", digest, "0000000000000000"],
    ["PATH_INFO", "04", "07".repeat(20), "6437b3ac38465133"],
    ["NAMED", "05", "07".repeat(32), "6437b3ac38465133"],
  ] as const)("writes the bytes of the format for %s", (name, kind, key, payload) => {
    const record = encodeRecord(RecordKind[name], Buffer.from(key, "hex"), abc);
    const start = `54565852${kind}0000000300000003000000`;
    expect(toHex(record)).toBe(`${start}${key.padEnd(64, "0")}${payload}${"00".repeat(8)}616263`);
  });

  it.each(KINDS)("gives back what it was given, for %s", (_name, kind) => {
    for (const raw of [new Uint8Array(0), Uint8Array.of(1), NOISE, TEXT]) {
      const plain = encodeRecord(kind, keyOf(kind, raw), raw);
      const small = encodeRecord(kind, keyOf(kind, raw), raw, zstd);
      expect(plain.byteLength).toBe(RECORD_HEADER_LENGTH + raw.byteLength);
      expect(small.byteLength).toBeLessThanOrEqual(plain.byteLength);
      expect(open(plain)).toEqual(raw);
      expect(open(small)).toEqual(raw);
    }
  });

  it("compresses only what gets smaller", () => {
    const codecOf = (raw: Uint8Array) =>
      parseRecordHeader(encodeRecord(RecordKind.CHUNK, blake3(raw).toBytes(), raw, zstd), 0)?.codec;
    expect(codecOf(TEXT)).toBe(RecordCodec.ZSTD);
    expect(codecOf(NOISE)).toBe(RecordCodec.RAW);
  });

  it("pads short keys with zeros and refuses long ones", () => {
    const record = encodeRecord(RecordKind.PATH_INFO, seededBytes(3, 20), NOISE);
    const key = parseRecordHeader(record, 0)?.key ?? new Uint8Array(0);
    expect(toHex(key)).toBe(`${toHex(seededBytes(3, 20))}${"00".repeat(12)}`);
    expect(() => encodeRecord(RecordKind.PATH_INFO, seededBytes(3, 33), NOISE)).toThrow(RangeError);
  });
});

describe("writeRecord()", () => {
  it("writes one record behind the other", () => {
    const chunkOf = (raw: Uint8Array) => ({
      kind: RecordKind.CHUNK,
      key: blake3(raw).toBytes(),
      raw,
    });
    const [a, b] = [chunkOf(TEXT), chunkOf(NOISE)];
    const target = new Uint8Array(maxRecordLength(a.raw.byteLength) + maxRecordLength(150));
    const end = writeRecord(target, writeRecord(target, 0, a, zstd), b, zstd);
    const apart = [a, b].map(({ kind, key, raw }) => encodeRecord(kind, key, raw, zstd));
    expect(toHex(target.subarray(0, end))).toBe(apart.map(toHex).join(""));
  });
});

describe("openPayload()", () => {
  it.each(KINDS)("refuses every flipped bit of %s", (_name, kind) => {
    for (const [raw, codec] of [[NOISE], [TEXT, zstd]] as const) {
      const record = encodeRecord(kind, keyOf(kind, raw), raw, codec);
      for (let bit = 8 * RECORD_HEADER_LENGTH; bit < 8 * record.byteLength; bit++) {
        const damaged = copyBytes(record);
        damaged[bit >>> 3] = (damaged[bit >>> 3] as number) ^ (1 << (bit & 7));
        let opened: Uint8Array | undefined;
        try {
          opened = open(damaged);
        } catch (error) {
          expect(CastoreError.is(error, "CORRUPT")).toBe(true);
        }
        // Some bits of a zstd frame mean nothing: then the content is still right, and proven so.
        if (opened !== undefined) {
          expect(isContentAddressed(kind) && codec !== undefined).toBe(true);
          expect(opened).toEqual(raw);
        }
      }
    }
  });

  it.each(KINDS)("refuses a payload that is cut off or goes on, for %s", (_name, kind) => {
    const record = encodeRecord(kind, keyOf(kind, NOISE), NOISE);
    const header = parseRecordHeader(record, 0);
    if (header === undefined) expect.fail("The record has no header");
    for (const payload of [new Uint8Array(0), NOISE.subarray(1), new Uint8Array([...NOISE, 0])]) {
      expect(() => openPayload(header, payload, zstd)).toThrow(CastoreError);
    }
  });

  it("refuses a chunk under the digest of another", () => {
    const record = encodeRecord(RecordKind.CHUNK, blake3(TEXT).toBytes(), NOISE);
    expect(() => open(record)).toThrow("its bytes do not match its digest");
  });
});

describe("describeRecord()", () => {
  it("names kind and key", () => {
    const key = blake3(new Uint8Array(0)).toBytes();
    const digest = blake3(new Uint8Array(0)).toString();
    expect(describeRecord(RecordKind.CHUNK, key)).toBe(`blob ${digest}`);
    expect(describeRecord(RecordKind.CHUNK_LIST, key)).toBe(`chunk list of blob ${digest}`);
    expect(describeRecord(RecordKind.DIRECTORY, key)).toBe(`directory ${digest}`);
    expect(describeRecord(RecordKind.PATH_INFO, key)).toBe(
      "path info af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9",
    );
  });
});
