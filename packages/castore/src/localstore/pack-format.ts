// The pack format, version 3: a header and records, nothing else. docs/formats/pack.md describes it.
//
//   pack   = header zero[4056] header record*                                          4136 bytes, then
//   header = "TVIXPACK" version:u32 zero[4] identity[16] check[8]                          40 bytes
//   record = "TVXR" kind:u8 codec:u8 zero[2] storedLength:u32 rawLength:u32
//            key[32] payloadCheck[8] headerCheck[8]                                        64 bytes
//            payload[storedLength]
//
// Numbers are little-endian. A check is the first 8 bytes of a BLAKE3 digest: of the header before
// it; of the payload as it stands (payloadCheck); or of identity[16] offset:u64 and the record before
// it (headerCheck). So a record is sound in one place of one pack only, and who does not know the
// identity cannot make one. Chunks and directories have a zero payloadCheck: their key is the digest
// of their raw payload. This file knows bytes only, no files.
import { compareByteRanges, copyBytes, equalBytes } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";

const PACK_FORMAT_VERSION = 3;
/** Length of the random number that a pack is known by. */
const PACK_IDENTITY_LENGTH = 16;
/**
 * Where the copy of the header is: in another sector of any disk, for without the identity no record
 * of the pack can be told from content that looks like one.
 */
const HEADER_COPY_OFFSET = 4096;
const HEADER_LENGTH = 40;
/** Length of the header with its copy: where the first record is. */
export const PACK_HEADER_LENGTH: number = HEADER_COPY_OFFSET + HEADER_LENGTH;
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
  /** A value under a name: see `named-values.ts`. */
  NAMED: 5,
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
/** Where in a record's header its check is. */
const CHECK_OFFSET = RECORD_HEADER_LENGTH - CHECK_LENGTH;
const NO_CHECK = new Uint8Array(CHECK_LENGTH);

/** Whether the key of such a record is the BLAKE3 digest of its raw payload. */
export function isContentAddressed(kind: RecordKind): boolean {
  return kind === RecordKind.CHUNK || kind === RecordKind.DIRECTORY;
}

/** Whether a later record of such a kind replaces an earlier one of the same key. */
export function isReplaceable(kind: RecordKind): boolean {
  return kind === RecordKind.PATH_INFO || kind === RecordKind.NAMED;
}

/** Where a record is: the check of its header covers that too. */
export interface RecordPosition {
  /** Identity of the pack, 16 bytes. */
  readonly identity: Uint8Array;
  /** Of the record's header in the pack. */
  readonly offset: number;
}

/** An identity for a new pack: random, so that nobody who is given content to store can foresee it. */
export function newPackIdentity(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(PACK_IDENTITY_LENGTH));
}

/** First bytes of a pack: its header and the copy of that. */
export function encodePackHeader(identity: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PACK_HEADER_LENGTH);
  bytes.set(PACK_MAGIC, 0);
  new DataView(bytes.buffer).setUint32(8, PACK_FORMAT_VERSION, true);
  bytes.set(identity, 16);
  bytes.set(check(bytes.subarray(0, 32)), 32);
  bytes.copyWithin(HEADER_COPY_OFFSET, 0, HEADER_LENGTH);
  return bytes;
}

/**
 * The identity of a pack, from its header or, where that is damaged, from the copy.
 *
 * @param bytes - the first {@link PACK_HEADER_LENGTH} of the pack, or all it has
 * @param packId - number of the pack, for messages
 * @throws {@link CastoreError} "CORRUPT", or "UNSUPPORTED" for another version
 */
export function decodePackHeader(bytes: Uint8Array, packId: number): Uint8Array {
  for (const offset of [0, HEADER_COPY_OFFSET]) {
    const identity = readHeaderCopy(bytes.subarray(offset, offset + HEADER_LENGTH), packId);
    if (identity !== undefined) return identity;
  }
  throw new CastoreError("CORRUPT", `Cannot read pack ${packId}: its header is damaged`);
}

function readHeaderCopy(header: Uint8Array, packId: number): Uint8Array | undefined {
  if (header.byteLength < HEADER_LENGTH || !equalBytes(header.subarray(0, 8), PACK_MAGIC)) {
    return undefined;
  }
  const view = new DataView(header.buffer, header.byteOffset, HEADER_LENGTH);
  const version = view.getUint32(8, true);
  const checkOffset = version === 1 ? 24 : 32;
  const stored = header.subarray(checkOffset, checkOffset + CHECK_LENGTH);
  if (!equalBytes(stored, check(header.subarray(0, checkOffset)))) return undefined;
  if (version !== PACK_FORMAT_VERSION) {
    throw new CastoreError(
      "UNSUPPORTED",
      `Cannot read pack ${packId}: format version ${version}, this program knows ${PACK_FORMAT_VERSION}`,
    );
  }
  return view.getUint32(12, true) === 0 ? copyBytes(header.subarray(16, 32)) : undefined;
}

/**
 * Writes the header of a record to `target` at `offset`, without its check, which depends on where the
 * record will be: see {@link sealRecordHeader}.
 */
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
  bytes.set(NO_CHECK, CHECK_OFFSET);
}

/** Completes the header of the record that begins at the start of `record`. */
export function sealRecordHeader(record: Uint8Array, position: RecordPosition): void {
  record.set(headerCheck(record, position), CHECK_OFFSET);
}

/**
 * Reads the header of a record at `offset`; its views share memory with `bytes`.
 *
 * @param position - where the record is in its pack
 * @returns `undefined` when there is no sound header, or one that belongs elsewhere
 */
export function readRecordHeader(
  bytes: Uint8Array,
  offset: number,
  position: RecordPosition,
): RecordHeader | undefined {
  const header = parseRecordHeader(bytes, offset);
  if (header === undefined) return undefined;
  const record = bytes.subarray(offset, offset + RECORD_HEADER_LENGTH);
  return equalBytes(record.subarray(CHECK_OFFSET), headerCheck(record, position))
    ? header
    : undefined;
}

/**
 * {@link readRecordHeader} for a record that is not in a pack yet: its check is not looked at.
 *
 * @returns `undefined` when a field has no possible value
 */
export function parseRecordHeader(bytes: Uint8Array, offset: number): RecordHeader | undefined {
  if (offset + RECORD_HEADER_LENGTH > bytes.byteLength) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, RECORD_HEADER_LENGTH);
  if (view.getUint32(0, true) !== RECORD_MAGIC) return undefined;
  const kind = view.getUint8(4);
  const codec = view.getUint8(5);
  const storedLength = view.getUint32(8, true);
  const rawLength = view.getUint32(12, true);
  const known = isKind(kind) && isCodec(codec) && view.getUint16(6, true) === 0;
  const limit = kind === RecordKind.CHUNK ? MAX_CHUNK_PAYLOAD : MAX_RECORD_PAYLOAD;
  const sane =
    storedLength <= limit &&
    rawLength <= limit &&
    (codec !== RecordCodec.RAW || storedLength === rawLength);
  if (!known || !sane) return undefined;
  const header = bytes.subarray(offset, offset + RECORD_HEADER_LENGTH);
  return {
    kind,
    codec,
    storedLength,
    rawLength,
    key: header.subarray(16, 48),
    payloadCheck: header.subarray(48, CHECK_OFFSET),
  };
}

/**
 * Whether a record begins with the header of a chunk of that digest and length. Its check is not looked
 * at: bytes that have the digest need none. Allocates nothing, for chunks by the ten thousand.
 *
 * @param record - at least its header
 */
export function isChunkRecordOf(
  record: Uint8Array,
  digest: Uint8Array,
  rawLength: number,
): boolean {
  return (
    uint32(record, 0) === RECORD_MAGIC &&
    record[4] === RecordKind.CHUNK &&
    uint32(record, 12) === rawLength &&
    storedLengthOf(record) <= MAX_CHUNK_PAYLOAD &&
    compareByteRanges(record, 16, RECORD_KEY_LENGTH, digest, 0, RECORD_KEY_LENGTH) === 0
  );
}

/** Length of the payload of the record that begins with such a header. */
export function storedLengthOf(record: Uint8Array): number {
  return uint32(record, 8);
}

/** How that payload is stored. */
export function recordCodecOf(record: Uint8Array): number {
  return record[5] as number;
}

function uint32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  const high = (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8);
  return (low | (high << 16)) >>> 0;
}

/** The payload check that a record of `kind` carries. */
export function payloadCheck(kind: RecordKind, payload: Uint8Array): Uint8Array {
  return isContentAddressed(kind) ? NO_CHECK : check(payload);
}

/** What {@link headerCheck} digests; used again by each call. */
const covered = new Uint8Array(PACK_IDENTITY_LENGTH + 8 + CHECK_OFFSET);
const coveredView = new DataView(covered.buffer);

function headerCheck(record: Uint8Array, { identity, offset }: RecordPosition): Uint8Array {
  covered.set(identity, 0);
  coveredView.setBigUint64(PACK_IDENTITY_LENGTH, BigInt(offset), true);
  covered.set(record.subarray(0, CHECK_OFFSET), PACK_IDENTITY_LENGTH + 8);
  return check(covered);
}

function check(bytes: Uint8Array): Uint8Array {
  return blake3(bytes).toBytes().subarray(0, CHECK_LENGTH);
}

function isKind(value: number): value is RecordKind {
  return value >= RecordKind.CHUNK && value <= RecordKind.NAMED;
}

function isCodec(value: number): value is RecordCodec {
  return value === RecordCodec.RAW || value === RecordCodec.ZSTD;
}
