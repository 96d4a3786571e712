import { readUint16, readUint32, readUint64 } from "./numbers.js";

/** Bytes of fuse_in_header, at the beginning of every request. */
export const REQUEST_HEADER_SIZE = 40;

/** Bytes of fuse_out_header, at the beginning of every answer. */
export const REPLY_HEADER_SIZE = 16;

const EXTENSION_UNIT = 8;

/** fuse_in_header of linux/fuse.h: `len, opcode: u32; unique, nodeid: u64; uid, gid, pid: u32; total_extlen, padding: u16`. */
export interface RequestHeader {
  /** Length of the message as it says itself. */
  readonly length: number;
  readonly opcode: number;
  /** What the answer repeats, in two words. */
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  /** TOO_LARGE where no file system of ours gave such a number. */
  readonly nodeId: number;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** Bytes of extensions at the end of the message, which are not looked at. 0 before 7.38. */
  readonly extensionSize: number;
}

/** @returns `undefined` where the message is too short for a header */
export function decodeRequestHeader(bytes: Uint8Array): RequestHeader | undefined {
  if (bytes.byteLength < REQUEST_HEADER_SIZE) return undefined;
  return {
    length: readUint32(bytes, 0),
    opcode: readUint32(bytes, 4),
    uniqueLow: readUint32(bytes, 8),
    uniqueHigh: readUint32(bytes, 12),
    nodeId: readUint64(bytes, 16),
    uid: readUint32(bytes, 24),
    gid: readUint32(bytes, 28),
    pid: readUint32(bytes, 32),
    extensionSize: readUint16(bytes, 36) * EXTENSION_UNIT,
  };
}

/** Names a request among those under way, exactly, whatever its 64 bits are. */
export type UniqueKey = number | string;

/** The key of a unique id: a number for those of Linux, which counts from 0. */
export function uniqueKey(low: number, high: number): UniqueKey {
  return high <= 0x1f_ffff ? high * 0x1_0000_0000 + low : `${high}:${low}`;
}

/**
 * Writes fuse_out_header, `len: u32; error: i32; unique: u64`, at the beginning.
 *
 * @param length - of the whole answer, header included
 * @param errno - 0, or why there is no answer
 */
export function encodeReplyHeader(
  view: DataView,
  length: number,
  errno: number,
  uniqueLow: number,
  uniqueHigh: number,
): void {
  view.setUint32(0, length, true);
  view.setInt32(4, -errno, true);
  view.setUint32(8, uniqueLow, true);
  view.setUint32(12, uniqueHigh, true);
}
