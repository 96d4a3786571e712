// What the stat cache keeps of one directory that was imported:
//
//   record  = version:u8 sizeRule:u8 digest[32] size:u64 stat count:u32 entry* child*
//   entry   = length:u8 name[length] kind:u8 stat        stat only for files and links
//   child   = digest[32] length:u32 record      one for each directory among the entries, in their order
//   stat    = dev:u64 ino:u64 size:u64 mode:u32 mtimeNs:i64 ctimeNs:i64      44 bytes, little-endian
//
// `digest` and `size` are those of the castore node that the import gave, `child` those of nodes in
// it: what a record says of a directory holds only together with the same of all that is in it. The
// record of a child is part of its parent's, or (length 0) stands by itself under its path. The
// reader makes stat, count and entries; the importing thread adds the rest, which takes the content.
import type { BigIntStats } from "node:fs";
import { B3Digest, DIGEST_LENGTH } from "../digest.js";
import type { DirectorySizeRule } from "../nodes/directory.js";
import { type DirectoryNode, directoryNode } from "../nodes/node.js";

const VERSION = 3;
const STAT_LENGTH = 44;
const HEAD_LENGTH: number = 2 + DIGEST_LENGTH + 8;
const CHILD_HEAD_LENGTH: number = DIGEST_LENGTH + 4;

const NO_RECORD = new Uint8Array(0);

/** What a builder starts with: room for some names. */
const INITIAL_CAPACITY = 512;

const SIZE_RULES: readonly DirectorySizeRule[] = ["documented", "doubled"];

/**
 * How long a time stamp must lie back before it proves anything, in nanoseconds. A file that is
 * changed twice within one tick of the file system's clock keeps its stamp; the coarsest clock in
 * use ticks every two seconds.
 */
const SETTLED_NS = 2_000_000_000n;

export const EntryKind = { DIRECTORY: 1, FILE: 2, SYMLINK: 3 } as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/** A decoded record: views of it, and names with one character a byte. */
export interface StatRecord {
  readonly sizeRule: DirectorySizeRule;
  /** Digest of the directory when it was imported. */
  readonly digest: Uint8Array;
  /** Its size, see {@link DirectoryNode}. */
  readonly size: bigint;
  /** The whole record. */
  readonly bytes: Uint8Array;
  /** The same, for {@link isSameStat}. */
  readonly view: DataView;
  /** Where the stat of the directory itself is. */
  readonly statOffset: number;
  /** Where the entry of each file and link begins, for {@link leafName} and its like. */
  readonly leaves: readonly number[];
  readonly directories: readonly RecordedDirectory[];
}

/** A directory in a directory that has a record. */
interface RecordedDirectory {
  readonly name: string;
  readonly digest: Uint8Array;
  /** Its record, not decoded; `undefined` when that stands by itself. */
  readonly record: Uint8Array | undefined;
}

/** What {@link finishStatRecord} needs of a directory in the directory. */
export interface ChildRecord {
  readonly digest: B3Digest;
  /** `undefined` for a record that stands by itself, or that there is not. */
  readonly record: Uint8Array | undefined;
}

/** Where the fields of a stat are, from its start. */
export const STAT_FIELD = { dev: 0, ino: 8, size: 16, mode: 24, mtimeNs: 28, ctimeNs: 36 } as const;

function writeStat(stat: BigIntStats, view: DataView, offset: number): void {
  view.setBigUint64(offset + STAT_FIELD.dev, stat.dev, true);
  view.setBigUint64(offset + STAT_FIELD.ino, stat.ino, true);
  view.setBigUint64(offset + STAT_FIELD.size, stat.size, true);
  view.setUint32(offset + STAT_FIELD.mode, Number(stat.mode), true);
  view.setBigInt64(offset + STAT_FIELD.mtimeNs, stat.mtimeNs, true);
  view.setBigInt64(offset + STAT_FIELD.ctimeNs, stat.ctimeNs, true);
}

/** Whether the stat at `offset` of a record is of the same, unchanged object. */
export function isSameStat(stat: BigIntStats, record: DataView, offset: number): boolean {
  return (
    record.getBigInt64(offset + STAT_FIELD.ctimeNs, true) === stat.ctimeNs &&
    record.getBigInt64(offset + STAT_FIELD.mtimeNs, true) === stat.mtimeNs &&
    record.getBigUint64(offset + STAT_FIELD.size, true) === stat.size &&
    record.getBigUint64(offset + STAT_FIELD.ino, true) === stat.ino &&
    record.getBigUint64(offset + STAT_FIELD.dev, true) === stat.dev &&
    record.getUint32(offset + STAT_FIELD.mode, true) === Number(stat.mode)
  );
}

/**
 * Whether the time at `offset` of a record is this one.
 *
 * @param secondsLow - seconds since 1970, the lower half of 64 bits
 */
export function isSameTime(
  record: DataView,
  offset: number,
  secondsLow: number,
  secondsHigh: number,
  nanoseconds: number,
): boolean {
  // Without bigints, which live on the heap: equal modulo 2^32, and equal up to rounding, which is
  // less than 2^31 by far.
  const low = (Math.imul(secondsLow, 1e9) + nanoseconds) | 0;
  if (record.getInt32(offset, true) !== low) return false;
  const recorded = record.getInt32(offset + 4, true) * 2 ** 32 + (low >>> 0);
  const seconds = secondsHigh * 2 ** 32 + (secondsLow >>> 0);
  return Math.abs(seconds * 1e9 + nanoseconds - recorded) < 2 ** 31;
}

/** Whether a change after `nowNs` could not leave the time stamps as they are. */
export function isSettled(stat: BigIntStats, nowNs: bigint): boolean {
  return stat.mtimeNs < nowNs - SETTLED_NS && stat.ctimeNs < nowNs - SETTLED_NS;
}

/** Collects the entries of one directory for its record. */
export class StatRecordBuilder {
  readonly #nowNs: bigint;
  #bytes = new Uint8Array(INITIAL_CAPACITY);
  #view = new DataView(this.#bytes.buffer);
  #length: number = STAT_LENGTH + 4;
  #count = 0;
  #settled: boolean;

  constructor(stat: BigIntStats, nowNs: bigint) {
    this.#nowNs = nowNs;
    this.#settled = isSettled(stat, nowNs);
    writeStat(stat, this.#view, 0);
  }

  /**
   * @param name - one character a byte
   * @param stat - of a file or link
   */
  add(name: string, kind: EntryKind, stat?: BigIntStats): void {
    if (stat !== undefined && !isSettled(stat, this.#nowNs)) this.#settled = false;
    if (!this.#settled) return;
    this.#reserve(2 + name.length + STAT_LENGTH);
    this.#bytes[this.#length++] = name.length;
    for (let i = 0; i < name.length; i++) this.#bytes[this.#length++] = name.charCodeAt(i);
    this.#bytes[this.#length++] = kind;
    this.#count += 1;
    if (stat === undefined) return;
    writeStat(stat, this.#view, this.#length);
    this.#length += STAT_LENGTH;
  }

  /**
   * The part of the record that {@link finishStatRecord} completes: a view of what the builder holds.
   * Empty when the time stamps prove nothing yet.
   */
  build(): Uint8Array {
    if (!this.#settled) return new Uint8Array(0);
    this.#view.setUint32(STAT_LENGTH, this.#count, true);
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.byteLength) return;
    const larger = new Uint8Array(2 * this.#bytes.byteLength);
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/**
 * Completes what {@link StatRecordBuilder.build} made.
 *
 * @param children - the directories in it, in byte order of their names
 */
export function finishStatRecord(
  body: Uint8Array,
  node: DirectoryNode,
  children: readonly ChildRecord[],
  rule: DirectorySizeRule,
): Uint8Array {
  const length = children.reduce(
    (sum, { record }) => sum + CHILD_HEAD_LENGTH + (record?.byteLength ?? 0),
    HEAD_LENGTH + body.byteLength,
  );
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  bytes[1] = SIZE_RULES.indexOf(rule);
  node.digest.writeTo(bytes, 2);
  view.setBigUint64(2 + DIGEST_LENGTH, node.size, true);
  bytes.set(body, HEAD_LENGTH);
  let at = HEAD_LENGTH + body.byteLength;
  for (const { digest, record = NO_RECORD } of children) {
    digest.writeTo(bytes, at);
    view.setUint32(at + DIGEST_LENGTH, record.byteLength, true);
    bytes.set(record, at + CHILD_HEAD_LENGTH);
    at += CHILD_HEAD_LENGTH + record.byteLength;
  }
  return bytes;
}

/** @returns `undefined` for anything that is not a whole record: a cache may be forgotten */
export function decodeStatRecord(bytes: Uint8Array): StatRecord | undefined {
  const sizeRule = SIZE_RULES[bytes[1] ?? -1];
  const start = HEAD_LENGTH + STAT_LENGTH + 4;
  if (bytes.byteLength < start || bytes[0] !== VERSION || sizeRule === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const leaves: number[] = [];
  const names: string[] = [];
  let at = start;
  for (let left = view.getUint32(start - 4, true); left > 0; left--) {
    const entry = at;
    const nameEnd = entry + 1 + (bytes[entry] ?? 0);
    const kind = bytes[nameEnd];
    at = nameEnd + 1 + (kind === EntryKind.DIRECTORY ? 0 : STAT_LENGTH);
    if (!isKind(kind) || at > bytes.byteLength) return undefined;
    if (kind === EntryKind.DIRECTORY) names.push(latin1(bytes, entry + 1, nameEnd));
    else leaves.push(entry);
  }
  const directories = decodeChildren(bytes, view, at, names);
  if (directories === undefined) return undefined;
  return {
    sizeRule,
    digest: bytes.subarray(2, 2 + DIGEST_LENGTH),
    size: view.getBigUint64(2 + DIGEST_LENGTH, true),
    bytes,
    view,
    statOffset: HEAD_LENGTH,
    leaves,
    directories,
  };
}

function decodeChildren(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  names: readonly string[],
): RecordedDirectory[] | undefined {
  let at = start;
  const children: RecordedDirectory[] = [];
  for (const name of names) {
    const body = at + CHILD_HEAD_LENGTH;
    if (body > bytes.byteLength) return undefined;
    const digest = bytes.subarray(at, at + DIGEST_LENGTH);
    at = body + view.getUint32(at + DIGEST_LENGTH, true);
    children.push({ name, digest, record: at === body ? undefined : bytes.subarray(body, at) });
  }
  return at === bytes.byteLength ? children : undefined;
}

function isKind(value: number | undefined): value is EntryKind {
  return value === EntryKind.DIRECTORY || value === EntryKind.FILE || value === EntryKind.SYMLINK;
}

/** What the import of the directory gave. */
export function recordedNode({ digest, size }: StatRecord): DirectoryNode {
  return directoryNode(B3Digest.fromBytes(digest), size);
}

/** The name of a file or link of a record, one character a byte. */
export function leafName({ bytes }: StatRecord, leaf: number): string {
  const start = leaf + 1;
  return latin1(bytes, start, start + (bytes[leaf] as number));
}

/** Where the stat of a file or link of a record is. */
export function leafStatOffset({ bytes }: StatRecord, leaf: number): number {
  return leaf + 1 + (bytes[leaf] as number) + 1;
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}
