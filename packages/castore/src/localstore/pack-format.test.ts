import { blake3 as noble } from "@noble/hashes/blake3.js";
import { describe, expect, it } from "vitest";
import { concatBytes, copyBytes, toHex, toUtf8 } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { SeededRandom, seededBytes } from "../testing/seeded-random.js";
import {
  decodePackHeader,
  encodePackHeader,
  MAX_CHUNK_PAYLOAD,
  MAX_RECORD_PAYLOAD,
  newPackIdentity,
  parseRecordHeader,
  RECORD_HEADER_LENGTH,
  RecordCodec,
  type RecordHeader,
  RecordKind,
  type RecordPosition,
  readRecordHeader,
  sealRecordHeader,
  writeRecordHeader,
} from "./pack-format.js";

/** The check of a header as docs/formats/pack.md says it, by another implementation of BLAKE3. */
function withCheck(bytes: Uint8Array): Uint8Array {
  return concatBytes([bytes, noble(bytes).subarray(0, 8)]);
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = copyBytes(bytes);
  copy[bit >>> 3] = (copy[bit >>> 3] as number) ^ (1 << (bit & 7));
  return copy;
}

/** The check of a record's header, the same way. */
function withRecordCheck(bytes: Uint8Array, { identity, offset }: RecordPosition): Uint8Array {
  const place = new Uint8Array(8);
  new DataView(place.buffer).setBigUint64(0, BigInt(offset), true);
  return concatBytes([bytes, noble(concatBytes([identity, place, bytes])).subarray(0, 8)]);
}

const IDENTITY = seededBytes(4, 16);
const HERE: RecordPosition = { identity: IDENTITY, offset: 2 ** 33 + 5 };
const KEY = seededBytes(1, 32);
const CHECK = seededBytes(2, 8);

function headerOf(changes: Partial<RecordHeader> = {}): RecordHeader {
  return {
    kind: RecordKind.CHUNK,
    codec: RecordCodec.RAW,
    storedLength: 5,
    rawLength: 5,
    key: KEY,
    payloadCheck: CHECK,
    ...changes,
  };
}

function encoded(changes: Partial<RecordHeader> = {}): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER_LENGTH);
  writeRecordHeader(bytes, 0, headerOf(changes));
  sealRecordHeader(bytes, HERE);
  return bytes;
}

/** A record header built from its fields, its check right, whatever the fields say. */
function handmade(kind: number, codec: number, zero: number, stored: number, raw: number) {
  const bytes = new Uint8Array(56);
  const view = new DataView(bytes.buffer);
  bytes.set(toUtf8("TVXR"));
  bytes.set([kind, codec], 4);
  view.setUint16(6, zero, true);
  view.setUint32(8, stored, true);
  view.setUint32(12, raw, true);
  return withRecordCheck(bytes, HERE);
}

describe("encodePackHeader()", () => {
  it("writes the bytes of the format", () => {
    const bytes = encodePackHeader(IDENTITY);
    const fields = concatBytes([
      toUtf8("TVIXPACK"),
      Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0),
      IDENTITY,
    ]);
    const header = withCheck(fields);
    expect(bytes.byteLength).toBe(4136);
    expect(toHex(bytes)).toBe(toHex(concatBytes([header, new Uint8Array(4056), header])));
  });
});

describe("newPackIdentity()", () => {
  it("is another one each time", () => {
    const identities = Array.from({ length: 100 }, () => toHex(newPackIdentity()));
    expect(new Set(identities).size).toBe(100);
    expect(identities[0]).toHaveLength(32);
  });
});

describe("decodePackHeader()", () => {
  function result(bytes: Uint8Array): unknown {
    try {
      return decodePackHeader(bytes, 7);
    } catch (error) {
      return error;
    }
  }

  const whole = encodePackHeader(IDENTITY);
  const copyOnly = copyBytes(whole).fill(0, 0, 4096);

  it("gives the identity, from the header or its copy", () => {
    for (let bit = 0; bit < 8 * 40; bit++) expect(result(flipped(whole, bit))).toEqual(IDENTITY);
    expect(result(copyOnly)).toEqual(IDENTITY);
    expect(result(whole.subarray(0, 40))).toEqual(IDENTITY);
  });

  it("refuses every flipped bit where there is no copy", () => {
    for (let bit = 0; bit < 8 * 40; bit++) {
      const errors = [flipped(whole, bit).subarray(0, 4096), flipped(copyOnly, 8 * 4096 + bit)];
      for (const bytes of errors) {
        expect(CastoreError.is(result(bytes), "CORRUPT")).toBe(true);
      }
    }
  });

  it("refuses every part of a header", () => {
    for (let length = 0; length < 40; length++) {
      const error = result(whole.subarray(0, length));
      expect(CastoreError.is(error, "CORRUPT")).toBe(true);
      expect(String(error)).toContain("Cannot read pack 7: its header is damaged");
    }
  });

  it.each([
    [4, 32],
    [2, 32],
    [1, 24],
  ])("refuses version %s, and says so", (version, length) => {
    const bytes = new Uint8Array(40);
    bytes.set(whole.subarray(0, length));
    bytes[8] = version;
    bytes.set(withCheck(bytes.subarray(0, length)));
    const error = result(bytes);
    expect(CastoreError.is(error, "UNSUPPORTED")).toBe(true);
    expect(String(error)).toContain(`format version ${version}, this program knows 3`);
  });
});

describe("writeRecordHeader()", () => {
  it("writes the bytes of the format", () => {
    const bytes = encoded({
      kind: RecordKind.PATH_INFO,
      codec: RecordCodec.ZSTD,
      storedLength: 0x0102,
      rawLength: 0x030405,
      key: Uint8Array.from({ length: 32 }, (_, i) => i),
      payloadCheck: Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1),
    });
    const fields = ["54565852", "04", "01", "0000", "02010000", "05040300"];
    const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const expected = `${fields.join("")}${key}0807060504030201`;
    expect(toHex(bytes)).toBe(toHex(withRecordCheck(Buffer.from(expected, "hex"), HERE)));
  });

  it("leaves what is around it alone", () => {
    const bytes = new Uint8Array(RECORD_HEADER_LENGTH + 6).fill(0xee);
    writeRecordHeader(bytes, 3, headerOf());
    const header = `${toHex(encoded().subarray(0, 56))}${"00".repeat(8)}`;
    expect(toHex(bytes)).toBe(`eeeeee${header}eeeeee`);
  });
});

describe("readRecordHeader()", () => {
  it.each(Object.entries(RecordKind))("reads what was written, for %s", (_name, kind) => {
    for (const codec of Object.values(RecordCodec)) {
      const header = headerOf({ kind, codec, storedLength: 1000, rawLength: 1000 });
      expect(readRecordHeader(encoded(header), 0, HERE)).toEqual(header);
    }
  });

  it("reads it anywhere", () => {
    const bytes = concatBytes([new Uint8Array(3), encoded(), new Uint8Array(2)]);
    expect(readRecordHeader(bytes, 3, HERE)).toEqual(headerOf());
    expect(readRecordHeader(bytes, 2, HERE)).toBeUndefined();
    expect(readRecordHeader(bytes, bytes.byteLength, HERE)).toBeUndefined();
  });

  it("refuses every flipped bit", () => {
    const bytes = encoded();
    for (let bit = 0; bit < 8 * RECORD_HEADER_LENGTH; bit++) {
      expect(readRecordHeader(flipped(bytes, bit), 0, HERE)).toBeUndefined();
    }
  });

  it("refuses it in any other place", () => {
    const bytes = encoded();
    for (let bit = 0; bit < 128; bit++) {
      const elsewhere = { ...HERE, identity: flipped(IDENTITY, bit) };
      expect(readRecordHeader(bytes, 0, elsewhere)).toBeUndefined();
    }
    for (const offset of [0, 5, HERE.offset - 1, HERE.offset + 1, HERE.offset - 2 ** 32]) {
      expect(readRecordHeader(bytes, 0, { ...HERE, offset })).toBeUndefined();
    }
    expect(parseRecordHeader(bytes, 0)).toEqual(headerOf());
  });

  it("refuses every part of a header", () => {
    const bytes = encoded();
    for (let length = 0; length < RECORD_HEADER_LENGTH; length++) {
      expect(readRecordHeader(bytes.subarray(0, length), 0, HERE)).toBeUndefined();
    }
  });

  it.each([
    ["an unknown kind 0", handmade(0, 0, 0, 5, 5)],
    ["an unknown kind 6", handmade(6, 0, 0, 5, 5)],
    ["an unknown codec", handmade(1, 2, 0, 5, 5)],
    ["bytes that should be zero", handmade(1, 0, 1, 5, 5)],
    ["a raw payload of two lengths", handmade(1, 0, 0, 5, 6)],
    ["a chunk that is too long", handmade(1, 1, 0, 5, MAX_CHUNK_PAYLOAD + 1)],
    ["a chunk that is stored too long", handmade(1, 1, 0, MAX_CHUNK_PAYLOAD + 1, 5)],
    ["a list that is too long", handmade(2, 1, 0, 5, MAX_RECORD_PAYLOAD + 1)],
    ["a directory that is too long", handmade(3, 0, 0, 0xffff_ffff, 0xffff_ffff)],
    ["a path info that is stored too long", handmade(4, 1, 0, MAX_RECORD_PAYLOAD + 1, 5)],
  ])("refuses %s, though its check is right", (_what, bytes) => {
    expect(readRecordHeader(bytes, 0, HERE)).toBeUndefined();
  });

  it.each([
    ["an empty chunk", handmade(1, 0, 0, 0, 0)],
    ["the longest chunk", handmade(1, 0, 0, MAX_CHUNK_PAYLOAD, MAX_CHUNK_PAYLOAD)],
    ["the longest directory", handmade(3, 1, 0, 5, MAX_RECORD_PAYLOAD)],
  ])("accepts %s", (_what, bytes) => {
    expect(readRecordHeader(bytes, 0, HERE)).toBeDefined();
  });

  it("finds nothing in noise", () => {
    const random = new SeededRandom(3);
    const bytes = random.bytes(20_000);
    for (let i = 0; i < 2000; i++) bytes.set(toUtf8("TVXR"), random.below(19_996));
    for (let at = 0; at < bytes.byteLength; at++) {
      expect(readRecordHeader(bytes, at, HERE)).toBeUndefined();
    }
  });
});
