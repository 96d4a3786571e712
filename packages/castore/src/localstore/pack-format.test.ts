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
  PACK_HEADER_LENGTH,
  RECORD_HEADER_LENGTH,
  RecordCodec,
  type RecordHeader,
  RecordKind,
  readRecordHeader,
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
  return withCheck(bytes);
}

describe("encodePackHeader()", () => {
  it("writes the bytes of the format", () => {
    expect(toHex(encodePackHeader(258))).toBe(
      ["545649585041434b", "01000000", "0201000000000000", "00000000", "dacf37f29c4c6c01"].join(""),
    );
  });

  it("checks itself with the first 8 bytes of a BLAKE3 digest", () => {
    const bytes = encodePackHeader(12_345_678);
    expect(toHex(bytes)).toBe(toHex(withCheck(bytes.subarray(0, 24))));
  });
});

describe("decodePackHeader()", () => {
  function refusal(bytes: Uint8Array, packId: number): unknown {
    try {
      decodePackHeader(bytes, packId);
    } catch (error) {
      return error;
    }
    return undefined;
  }

  it.each([1, 258, 99_999_999, 2 ** 40])("accepts the header of pack %s", (id) => {
    expect(refusal(concatBytes([encodePackHeader(id), Uint8Array.of(1, 2)]), id)).toBeUndefined();
  });

  it("refuses every flipped bit", () => {
    const bytes = encodePackHeader(7);
    for (let bit = 0; bit < 8 * PACK_HEADER_LENGTH; bit++) {
      expect(CastoreError.is(refusal(flipped(bytes, bit), 7), "CORRUPT")).toBe(true);
    }
  });

  it("refuses every part of a header", () => {
    const bytes = encodePackHeader(7);
    for (let length = 0; length < PACK_HEADER_LENGTH; length++) {
      expect(CastoreError.is(refusal(bytes.subarray(0, length), 7), "CORRUPT")).toBe(true);
    }
  });

  it("refuses the header of another pack", () => {
    const error = refusal(encodePackHeader(7), 8);
    expect(CastoreError.is(error, "CORRUPT")).toBe(true);
    expect(String(error)).toContain("Cannot read pack 8: its header says that it is pack 7");
  });

  it("refuses a newer version, and says so", () => {
    const bytes = copyBytes(encodePackHeader(7).subarray(0, 24));
    bytes[8] = 2;
    const error = refusal(withCheck(bytes), 7);
    expect(CastoreError.is(error, "UNSUPPORTED")).toBe(true);
    expect(String(error)).toContain("format version 2, this program knows 1");
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
    expect(toHex(bytes)).toBe(toHex(withCheck(Buffer.from(expected, "hex"))));
  });

  it("leaves what is around it alone", () => {
    const bytes = new Uint8Array(RECORD_HEADER_LENGTH + 6).fill(0xee);
    writeRecordHeader(bytes, 3, headerOf());
    expect(toHex(bytes)).toBe(`eeeeee${toHex(encoded())}eeeeee`);
  });
});

describe("readRecordHeader()", () => {
  it.each(Object.entries(RecordKind))("reads what was written, for %s", (_name, kind) => {
    for (const codec of Object.values(RecordCodec)) {
      const header = headerOf({ kind, codec, storedLength: 1000, rawLength: 1000 });
      expect(readRecordHeader(encoded(header), 0)).toEqual(header);
    }
  });

  it("reads it anywhere", () => {
    const bytes = concatBytes([new Uint8Array(3), encoded(), new Uint8Array(2)]);
    expect(readRecordHeader(bytes, 3)).toEqual(headerOf());
    expect(readRecordHeader(bytes, 2)).toBeUndefined();
    expect(readRecordHeader(bytes, bytes.byteLength)).toBeUndefined();
  });

  it("refuses every flipped bit", () => {
    const bytes = encoded();
    for (let bit = 0; bit < 8 * RECORD_HEADER_LENGTH; bit++) {
      expect(readRecordHeader(flipped(bytes, bit), 0)).toBeUndefined();
    }
  });

  it("refuses every part of a header", () => {
    const bytes = encoded();
    for (let length = 0; length < RECORD_HEADER_LENGTH; length++) {
      expect(readRecordHeader(bytes.subarray(0, length), 0)).toBeUndefined();
    }
  });

  it.each([
    ["an unknown kind 0", handmade(0, 0, 0, 5, 5)],
    ["an unknown kind 5", handmade(5, 0, 0, 5, 5)],
    ["an unknown codec", handmade(1, 2, 0, 5, 5)],
    ["bytes that should be zero", handmade(1, 0, 1, 5, 5)],
    ["a raw payload of two lengths", handmade(1, 0, 0, 5, 6)],
    ["a chunk that is too long", handmade(1, 1, 0, 5, MAX_CHUNK_PAYLOAD + 1)],
    ["a chunk that is stored too long", handmade(1, 1, 0, MAX_CHUNK_PAYLOAD + 1, 5)],
    ["a list that is too long", handmade(2, 1, 0, 5, MAX_RECORD_PAYLOAD + 1)],
    ["a directory that is too long", handmade(3, 0, 0, 0xffff_ffff, 0xffff_ffff)],
    ["a path info that is stored too long", handmade(4, 1, 0, MAX_RECORD_PAYLOAD + 1, 5)],
  ])("refuses %s, though its check is right", (_what, bytes) => {
    expect(readRecordHeader(bytes, 0)).toBeUndefined();
  });

  it.each([
    ["an empty chunk", handmade(1, 0, 0, 0, 0)],
    ["the longest chunk", handmade(1, 0, 0, MAX_CHUNK_PAYLOAD, MAX_CHUNK_PAYLOAD)],
    ["the longest directory", handmade(3, 1, 0, 5, MAX_RECORD_PAYLOAD)],
  ])("accepts %s", (_what, bytes) => {
    expect(readRecordHeader(bytes, 0)).toBeDefined();
  });

  it("finds nothing in noise", () => {
    const random = new SeededRandom(3);
    const bytes = random.bytes(20_000);
    for (let i = 0; i < 2000; i++) bytes.set(toUtf8("TVXR"), random.below(19_996));
    for (let at = 0; at < bytes.byteLength; at++) {
      expect(readRecordHeader(bytes, at)).toBeUndefined();
    }
  });
});
