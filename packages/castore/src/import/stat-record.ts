// What the stat cache keeps of one directory (or of a single file or link that was imported):
//
//   record  = version:u8 sizeRule:u8 stat node:u16+bytes count:u32 entry*
//   entry   = length:u8 name[length] kind:u8 stat        stat only for files and links
//   stat    = dev:u64 ino:u64 size:u64 mode:u32 mtimeNs:i64 ctimeNs:i64      44 bytes, little-endian
//   node    = the castore node that the import gave, as encodeNode() writes it
//
// The reader makes all of it but the node, which the importing thread fills in.
import type { BigIntStats } from "node:fs";
import type { DirectorySizeRule } from "../nodes/directory.js";

const VERSION = 1;
export const STAT_LENGTH = 44;

/**
 * How long a time stamp must lie back before it proves anything, in nanoseconds. A file that is
 * changed twice within one tick of the file system's clock keeps its stamp; the coarsest clock in
 * use ticks every two seconds.
 */
const SETTLED_NS = 2_000_000_000n;

export const EntryKind = { DIRECTORY: 1, FILE: 2, SYMLINK: 3 } as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/** What a record says of one name. */
export interface StatRecordEntry {
  /** One character a byte. */
  readonly name: string;
  readonly kind: EntryKind;
  /** Where its stat is in the record; none for directories, which have a record of their own. */
  readonly statOffset: number;
}

/** A decoded record. */
export interface StatRecord {
  readonly sizeRule: DirectorySizeRule;
  /** The whole record, for {@link isSameStat}. */
  readonly view: DataView;
  /** Where the stat of the directory itself is. */
  readonly statOffset: number;
  readonly node: Uint8Array;
  readonly entries: readonly StatRecordEntry[];
}

/** The part of `stat` that shows whether something changed, as bytes to compare. */
export function encodeStat(stat: BigIntStats): Uint8Array {
  const bytes = new Uint8Array(STAT_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, stat.dev, true);
  view.setBigUint64(8, stat.ino, true);
  view.setBigUint64(16, stat.size, true);
  view.setUint32(24, Number(stat.mode), true);
  view.setBigInt64(28, stat.mtimeNs, true);
  view.setBigInt64(36, stat.ctimeNs, true);
  return bytes;
}

/** Whether the stat at `offset` of a record is of the same, unchanged object. */
export function isSameStat(stat: BigIntStats, record: DataView, offset: number): boolean {
  return (
    record.getBigInt64(offset + 36, true) === stat.ctimeNs &&
    record.getBigInt64(offset + 28, true) === stat.mtimeNs &&
    record.getBigUint64(offset + 16, true) === stat.size &&
    record.getBigUint64(offset + 8, true) === stat.ino &&
    record.getBigUint64(offset, true) === stat.dev &&
    record.getUint32(offset + 24, true) === Number(stat.mode)
  );
}

/** Whether a change after `nowNs` could not leave the time stamps as they are. */
export function isSettled(stat: BigIntStats, nowNs: bigint): boolean {
  return stat.mtimeNs < nowNs - SETTLED_NS && stat.ctimeNs < nowNs - SETTLED_NS;
}

/** Collects the entries of one directory for its record. */
export class StatRecordBuilder {
  readonly #stat: BigIntStats;
  readonly #nowNs: bigint;
  readonly #parts: Uint8Array[] = [];
  #count = 0;
  #settled: boolean;

  constructor(stat: BigIntStats, nowNs: bigint) {
    this.#stat = stat;
    this.#nowNs = nowNs;
    this.#settled = isSettled(stat, nowNs);
  }

  /** @param name - one character a byte */
  add(name: string, kind: EntryKind, stat?: BigIntStats): void {
    if (stat !== undefined && !isSettled(stat, this.#nowNs)) this.#settled = false;
    if (!this.#settled) return;
    const head = new Uint8Array(2 + name.length);
    head[0] = name.length;
    for (let i = 0; i < name.length; i++) head[1 + i] = name.charCodeAt(i);
    head[1 + name.length] = kind;
    this.#parts.push(head);
    if (stat !== undefined) this.#parts.push(encodeStat(stat));
    this.#count += 1;
  }

  /** The record without its node; empty when the time stamps prove nothing yet. */
  build(): Uint8Array {
    if (!this.#settled) return new Uint8Array(0);
    const length = this.#parts.reduce((sum, part) => sum + part.byteLength, STAT_LENGTH + 4);
    const bytes = new Uint8Array(length);
    bytes.set(encodeStat(this.#stat), 0);
    new DataView(bytes.buffer).setUint32(STAT_LENGTH, this.#count, true);
    let at = STAT_LENGTH + 4;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.byteLength;
    }
    return bytes;
  }
}

/** Completes what {@link StatRecordBuilder.build} made. */
export function finishStatRecord(
  body: Uint8Array,
  node: Uint8Array,
  rule: DirectorySizeRule,
): Uint8Array {
  const bytes = new Uint8Array(4 + node.byteLength + body.byteLength);
  bytes[0] = VERSION;
  bytes[1] = rule === "doubled" ? 1 : 0;
  new DataView(bytes.buffer).setUint16(2, node.byteLength, true);
  bytes.set(node, 4);
  bytes.set(body, 4 + node.byteLength);
  return bytes;
}

/** @returns `undefined` for anything that is not a whole record: a cache may be forgotten */
export function decodeStatRecord(bytes: Uint8Array): StatRecord | undefined {
  if (bytes.byteLength < 4 || bytes[0] !== VERSION) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const nodeEnd = 4 + view.getUint16(2, true);
  const start = nodeEnd + STAT_LENGTH + 4;
  if (start > bytes.byteLength) return undefined;
  const entries: StatRecordEntry[] = [];
  let at = start;
  for (let left = view.getUint32(nodeEnd + STAT_LENGTH, true); left > 0; left--) {
    const nameEnd = at + 1 + (bytes[at] ?? 0);
    const kind = bytes[nameEnd];
    const end = nameEnd + 1 + (kind === EntryKind.DIRECTORY ? 0 : STAT_LENGTH);
    if (!isKind(kind) || end > bytes.byteLength) return undefined;
    entries.push({
      name: latin1(bytes, at + 1, nameEnd),
      kind,
      statOffset: nameEnd + 1,
    });
    at = end;
  }
  if (at !== bytes.byteLength) return undefined;
  return {
    sizeRule: bytes[1] === 1 ? "doubled" : "documented",
    node: bytes.subarray(4, nodeEnd),
    view,
    statOffset: nodeEnd,
    entries,
  };
}

function isKind(value: number | undefined): value is EntryKind {
  return value === EntryKind.DIRECTORY || value === EntryKind.FILE || value === EntryKind.SYMLINK;
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}
