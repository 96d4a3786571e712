import { concatBytes } from "../bytes.js";
import { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { isBlake3Of } from "../hasher/blake3.js";
import { copyInto } from "../shared-copy.js";
import { compressIfSmaller, type ZstdCodec } from "./compression.js";
import {
  isContentAddressed,
  payloadCheck,
  RECORD_HEADER_LENGTH,
  RECORD_KEY_LENGTH,
  RecordCodec,
  type RecordHeader,
  RecordKind,
  writeRecordHeader,
} from "./pack-format.js";

/** Most bytes that the record of a payload takes. */
export function maxRecordLength(rawLength: number): number {
  return RECORD_HEADER_LENGTH + rawLength;
}

/**
 * Writes a whole record to `target` at `offset`, where there must be room for
 * {@link maxRecordLength}. What its place in a pack has to add comes later: see `sealRecordHeader()`.
 *
 * @param key - at most 32 bytes; padded with zeros
 * @param zstd - compresses the payload with it where that pays; raw without
 * @returns where the record ends
 */
export function writeRecord(
  target: Uint8Array,
  offset: number,
  { kind, key, raw }: { kind: RecordKind; key: Uint8Array; raw: Uint8Array },
  zstd?: ZstdCodec,
): number {
  const compressed = zstd && compressIfSmaller(zstd, raw);
  const stored = compressed ?? raw;
  copyInto(target, offset + RECORD_HEADER_LENGTH, stored);
  writeRecordHeader(target, offset, {
    kind,
    codec: compressed === undefined ? RecordCodec.RAW : RecordCodec.ZSTD,
    storedLength: stored.byteLength,
    rawLength: raw.byteLength,
    key: paddedKey(key),
    payloadCheck: payloadCheck(kind, stored),
  });
  return offset + RECORD_HEADER_LENGTH + stored.byteLength;
}

/** {@link writeRecord} in memory of its own. */
export function encodeRecord(
  kind: RecordKind,
  key: Uint8Array,
  raw: Uint8Array,
  zstd?: ZstdCodec,
): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(maxRecordLength(raw.byteLength));
  return record.slice(0, writeRecord(record, 0, { kind, key, raw }, zstd));
}

/** `key` with zeros up to the length of a record's key. */
export function paddedKey(key: Uint8Array): Uint8Array {
  if (key.byteLength > RECORD_KEY_LENGTH) {
    throw new RangeError(
      `Invalid record key: ${key.byteLength} bytes, more than ${RECORD_KEY_LENGTH}`,
    );
  }
  return key.byteLength === RECORD_KEY_LENGTH
    ? key
    : concatBytes([key, new Uint8Array(RECORD_KEY_LENGTH - key.byteLength)]);
}

/**
 * The raw payload of a record, checked in full: against its key where that is a digest, else against
 * its payload check. The result may share memory with `stored`.
 *
 * @throws {@link CastoreError} "CORRUPT"
 */
export function openPayload(header: RecordHeader, stored: Uint8Array, zstd: ZstdCodec): Uint8Array {
  if (!isContentAddressed(header.kind)) {
    const check = payloadCheck(header.kind, stored);
    if (!check.every((byte, i) => byte === header.payloadCheck[i])) {
      throw new CastoreError("CORRUPT", "its payload does not match its check");
    }
  }
  const raw =
    header.codec === RecordCodec.ZSTD ? zstd.decompress(stored, header.rawLength) : stored;
  checkDigest(header, raw);
  return raw;
}

function checkDigest(header: RecordHeader, raw: Uint8Array): void {
  if (isContentAddressed(header.kind) && !isBlake3Of(raw, header.key)) {
    throw new CastoreError("CORRUPT", "its bytes do not match its digest");
  }
}

/** What a record is, for messages: kind and key. */
export function describeRecord(kind: RecordKind, key: Uint8Array): string {
  const text = (length: number) => B3Digest.fromBytes(key.subarray(0, length)).toString();
  switch (kind) {
    case RecordKind.CHUNK:
      return `blob ${text(32)}`;
    case RecordKind.CHUNK_LIST:
      return `chunk list of blob ${text(32)}`;
    case RecordKind.DIRECTORY:
      return `directory ${text(32)}`;
    case RecordKind.NAMED:
      return `named value ${text(32)}`;
    case RecordKind.PATH_INFO:
      return `path info ${Array.from(key.subarray(0, 20), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  }
}
