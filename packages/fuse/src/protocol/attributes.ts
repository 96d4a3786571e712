import type { Attributes, AttributesReply, Entry } from "../file-system.js";
import { MAX_VALID_SECONDS } from "./limits.js";
import { writeUint64 } from "./numbers.js";

/** Bytes of fuse_attr. */
const ATTRIBUTES_SIZE = 88;

/** Bytes of fuse_attr_out. */
export const ATTRIBUTES_REPLY_SIZE = 104;

/** Bytes of fuse_entry_out. */
export const ENTRY_SIZE = 128;

/** Unit of st_blocks, whatever the block size is. */
const BLOCK = 512;

const NANOSECONDS = 1e9;

/**
 * Writes fuse_attr: `ino, size, blocks, atime, mtime, ctime: u64; atimensec, mtimensec, ctimensec, mode,
 * nlink, uid, gid, rdev, blksize, flags: u32`.
 */
function encodeAttributes(view: DataView, offset: number, attributes: Attributes): void {
  writeUint64(view, offset, attributes.ino);
  writeUint64(view, offset + 8, attributes.size);
  writeUint64(view, offset + 16, Math.ceil(attributes.size / BLOCK));
  writeUint64(view, offset + 24, attributes.mtime);
  writeUint64(view, offset + 32, attributes.mtime);
  writeUint64(view, offset + 40, attributes.mtime);
  view.setUint32(offset + 48, 0, true);
  view.setUint32(offset + 52, 0, true);
  view.setUint32(offset + 56, 0, true);
  view.setUint32(offset + 60, attributes.mode, true);
  view.setUint32(offset + 64, attributes.nlink, true);
  view.setUint32(offset + 68, attributes.uid, true);
  view.setUint32(offset + 72, attributes.gid, true);
  view.setUint32(offset + 76, 0, true);
  view.setUint32(offset + 80, attributes.blockSize, true);
  view.setUint32(offset + 84, 0, true);
}

/** Writes fuse_attr_out: `attr_valid: u64; attr_valid_nsec, dummy: u32; attr`. */
export function encodeAttributesReply(
  view: DataView,
  offset: number,
  reply: AttributesReply,
): void {
  const seconds = wholeSeconds(reply.validSeconds);
  writeUint64(view, offset, seconds);
  view.setUint32(offset + 8, nanoseconds(reply.validSeconds, seconds), true);
  view.setUint32(offset + 12, 0, true);
  encodeAttributes(view, offset + 16, reply.attributes);
}

/**
 * Writes fuse_entry_out: `nodeid, generation, entry_valid, attr_valid: u64; entry_valid_nsec,
 * attr_valid_nsec: u32; attr`. With node id 0 it says that there is nothing, and `attr` is zero.
 *
 * @throws TypeError for an entry that names something, without attributes: the kernel would take that for damage
 */
export function encodeEntry(view: DataView, offset: number, entry: Entry): void {
  const { nodeId, attributes } = entry;
  if (nodeId !== 0 && attributes === undefined) {
    throw new TypeError("Cannot encode an entry: it has a node id and no attributes");
  }
  const seconds = wholeSeconds(entry.validSeconds);
  const fraction = nanoseconds(entry.validSeconds, seconds);
  writeUint64(view, offset, nodeId);
  writeUint64(view, offset + 8, entry.generation);
  writeUint64(view, offset + 16, seconds);
  writeUint64(view, offset + 24, seconds);
  view.setUint32(offset + 32, fraction, true);
  view.setUint32(offset + 36, fraction, true);
  if (attributes === undefined) clearBytes(view, offset + 40, ATTRIBUTES_SIZE);
  else encodeAttributes(view, offset + 40, attributes);
}

/** Writes the fuse_entry_out of an item of a listing that comes without one. */
export function encodeNoEntry(view: DataView, offset: number): void {
  clearBytes(view, offset, ENTRY_SIZE);
}

function wholeSeconds(seconds: number): number {
  return Math.floor(Math.max(0, Math.min(seconds, MAX_VALID_SECONDS)));
}

function nanoseconds(seconds: number, whole: number): number {
  return seconds > whole && seconds < MAX_VALID_SECONDS
    ? Math.floor((seconds - whole) * NANOSECONDS)
    : 0;
}

function clearBytes(view: DataView, offset: number, length: number): void {
  for (let i = 0; i < length; i += 4) view.setUint32(offset + i, 0, true);
}
