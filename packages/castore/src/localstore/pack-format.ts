// The pack format, version 1: a header and records, nothing else. docs/formats/pack.md describes it.
//
//   pack   = header record*
//   header = "TVIXPACK" version:u32 packId:u64 zero[4] check[8]                            32 bytes
//   record = "TVXR" kind:u8 codec:u8 zero[2] storedLength:u32 rawLength:u32
//            key[32] payloadCheck[8] headerCheck[8]                                        64 bytes
//            payload[storedLength]
//
// Numbers are little-endian. A check is the first 8 bytes of the BLAKE3 digest: of the header before
// it, or (payloadCheck) of the payload as it stands. Chunks and directories have a zero
// payloadCheck: their key is the digest of their raw payload. This file knows bytes only, no files.
import { equalBytes } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";

const PACK_FORMAT_VERSION = 1;
export const PACK_HEADER_LENGTH = 32;
export const RECORD_HEADER_LENGTH = 64;
export const RECORD_KEY_LENGTH = 32;

/**
 * Longest payload, stored or raw, of a record that is not a chunk: the largest Directory fits (see
 * `MAX_DIRECTORY_BYTES`). Nothing is allocated for a length above the limit.
 */
export const MAX_RECORD_PAYLOAD: number = 512 * 1024 * 1024;

/** Longest payload of a chunk: the largest that FastCDC can be told to make. */
export const MAX_CHUNK_PAYLOAD: number = 8 * 1024 * 1024;

/** What a record holds. */
export const RecordKind = {
  /** A chunk, or a whole blob that is one: key is its digest. */
  CHUNK: 1,
  /** The chunks of a larger blob, in order: key is the digest of the blob. */
  CHUNK_LIST: 2,
  /** A canonically encoded Directory: key is its digest. */
  DIRECTORY: 3,
  /** A PathInfo: key is the 20-byte output hash and 12 zero bytes. */
  PATH_INFO: 4,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** How a payload is stored. */
export const RecordCodec = {
  RAW: 0,
  ZSTD: 1,
} as const;
export type RecordCodec = (typeof RecordCodec)[keyof typeof RecordCodec];

/** The fixed part of a record. */
export interface RecordHeader {
  readonly kind: RecordKind;
  readonly codec: RecordCodec;
  readonly storedLength: number;
  readonly rawLength: number;
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** 8 bytes. */
  readonly payloadCheck: Uint8Array;
}

const PACK_MAGIC = new TextEncoder().encode("TVIXPACK");
/** "TVXR", as the number that its bytes read as. */
const RECORD_MAGIC = 0x52585654;
/** The first bytes of every record, to search for after damage. */
export const RECORD_MAGIC_BYTES: Uint8Array = new TextEncoder().encode("TVXR");
const CHECK_LENGTH = 8;
const NO_CHECK = new Uint8Array(CHECK_LENGTH);

/** Whether the key of such a record is the BLAKE3 digest of its raw payload. */
export function isContentAddressed(kind: RecordKind): boolean {
  return kind === RecordKind.CHUNK || kind === RecordKind.DIRECTORY;
}

/** First bytes of the pack file number `packId`. */
export function encodePackHeader(packId: number): Uint8Array {
  const bytes = new Uint8Array(PACK_HEADER_LENGTH);
  const view = new DataView(bytes.buffer);
  bytes.set(PACK_MAGIC, 0);
  view.setUint32(8, PACK_FORMAT_VERSION, true);
  view.setBigUint64(12, BigInt(packId), true);
  bytes.set(check(bytes.subarray(0, 24)), 24);
  return bytes;
}

/**
 * Checks the first bytes of a pack file.
 *
 * @throws {@link CastoreError} "CORRUPT", or "UNSUPPORTED" for a newer version
 */
export function decodePackHeader(bytes: Uint8Array, packId: number): void {
  if (bytes.byteLength < PACK_HEADER_LENGTH || !equalBytes(bytes.subarray(0, 8), PACK_MAGIC)) {
    throw new CastoreError("CORRUPT", `Cannot read pack ${packId}: it does not begin like a pack`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!equalBytes(bytes.subarray(24, 32), check(bytes.subarray(0, 24)))) {
    throw new CastoreError("CORRUPT", `Cannot read pack ${packId}: its header is damaged`);
  }
  const version = view.getUint32(8, true);
  if (version !== PACK_FORMAT_VERSION) {
    throw new CastoreError(
      "UNSUPPORTED",
      `Cannot read pack ${packId}: format version ${version}, this program knows ${PACK_FORMAT_VERSION}`,
    );
  }
  const id = view.getBigUint64(12, true);
  if (id !== BigInt(packId)) {
    throw new CastoreError(
      "CORRUPT",
      `Cannot read pack ${packId}: its header says that it is pack ${id}`,
    );
  }
}

/** Writes the header of a record to `target` at `offset`. */
export function writeRecordHeader(target: Uint8Array, offset: number, header: RecordHeader): void {
  const bytes = target.subarray(offset, offset + RECORD_HEADER_LENGTH);
  const view = new DataView(bytes.buffer, bytes.byteOffset, RECORD_HEADER_LENGTH);
  view.setUint32(0, RECORD_MAGIC, true);
  bytes[4] = header.kind;
  bytes[5] = header.codec;
  view.setUint16(6, 0, true);
  view.setUint32(8, header.storedLength, true);
  view.setUint32(12, header.rawLength, true);
  bytes.set(header.key, 16);
  bytes.set(header.payloadCheck, 48);
  bytes.set(check(bytes.subarray(0, 56)), 56);
}

/**
 * Reads the header of a record at `offset`; its views share memory with `bytes`.
 *
 * @returns `undefined` when there is no sound header
 */
export function readRecordHeader(bytes: Uint8Array, offset: number): RecordHeader | undefined {
  if (offset + RECORD_HEADER_LENGTH > bytes.byteLength) return undefined;
  const header = bytes.subarray(offset, offset + RECORD_HEADER_LENGTH);
  const view = new DataView(header.buffer, header.byteOffset, RECORD_HEADER_LENGTH);
  if (view.getUint32(0, true) !== RECORD_MAGIC) return undefined;
  if (!equalBytes(header.subarray(56), check(header.subarray(0, 56)))) return undefined;
  const kind = header[4] as number;
  const codec = header[5] as number;
  const storedLength = view.getUint32(8, true);
  const rawLength = view.getUint32(12, true);
  const known = isKind(kind) && isCodec(codec) && view.getUint16(6, true) === 0;
  const limit = kind === RecordKind.CHUNK ? MAX_CHUNK_PAYLOAD : MAX_RECORD_PAYLOAD;
  const sane =
    storedLength <= limit &&
    rawLength <= limit &&
    (codec !== RecordCodec.RAW || storedLength === rawLength);
  if (!known || !sane) return undefined;
  return {
    kind,
    codec,
    storedLength,
    rawLength,
    key: header.subarray(16, 48),
    payloadCheck: header.subarray(48, 56),
  };
}

/** The payload check that a record of `kind` carries. */
export function payloadCheck(kind: RecordKind, payload: Uint8Array): Uint8Array {
  return isContentAddressed(kind) ? NO_CHECK : check(payload);
}

function check(bytes: Uint8Array): Uint8Array {
  return blake3(bytes).toBytes().subarray(0, CHECK_LENGTH);
}

function isKind(value: number): value is RecordKind {
  return value >= RecordKind.CHUNK && value <= RecordKind.PATH_INFO;
}

function isCodec(value: number): value is RecordCodec {
  return value === RecordCodec.RAW || value === RecordCodec.ZSTD;
}
