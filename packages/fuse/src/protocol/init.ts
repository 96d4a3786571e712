import { ERRNO, type Errno } from "../errno.js";
import { bodySize, type RequestBody } from "./body.js";
import { INIT_FLAG } from "./flags.js";
import {
  CONGESTION_THRESHOLD,
  MAX_BACKGROUND,
  MAX_PAGES,
  MAX_READAHEAD,
  MAX_WRITE,
} from "./limits.js";
import { readUint32 } from "./numbers.js";

/** FUSE_KERNEL_VERSION: the one major version there is. */
export const MAJOR_VERSION = 7;

/** The oldest minor version that is spoken: Linux 5.4, the first with virtio-fs. Older ones have other layouts. */
export const OLDEST_MINOR_VERSION = 31;

/** The newest minor version whose messages are known. */
export const NEWEST_MINOR_VERSION = 45;

/** Bytes of fuse_init_out. */
export const INIT_REPLY_SIZE = 64;

/** Bytes of fuse_init_in before 7.36, which added `flags2` and room. */
const INIT_SIZE = 16;

/** fuse_init_in of linux/fuse.h: `major, minor, max_readahead, flags: u32`, and more that is not used. */
export interface InitRequest {
  readonly major: number;
  readonly minor: number;
  /** {@link INIT_FLAG}: what the kernel can do. */
  readonly flags: number;
}

/** What was agreed on with the kernel. */
export interface Connection {
  /** Version of the protocol after `7.`. */
  readonly minor: number;
  /** FUSE_* of linux/fuse.h: what both can do. */
  readonly flags: number;
}

export function decodeInit(body: RequestBody): InitRequest | Errno {
  if (bodySize(body) < INIT_SIZE) return ERRNO.EINVAL;
  const { bytes, start } = body;
  return {
    major: readUint32(bytes, start),
    minor: readUint32(bytes, start + 4),
    flags: readUint32(bytes, start + 12),
  };
}

const WANTED_FLAGS =
  INIT_FLAG.ASYNC_READ |
  INIT_FLAG.DO_READDIRPLUS |
  INIT_FLAG.NO_OPEN_SUPPORT |
  INIT_FLAG.PARALLEL_DIROPS |
  INIT_FLAG.MAX_PAGES |
  INIT_FLAG.CACHE_SYMLINKS |
  INIT_FLAG.NO_OPENDIR_SUPPORT |
  INIT_FLAG.EXPLICIT_INVAL_DATA |
  INIT_FLAG.INIT_EXT;

/**
 * What is agreed on with a kernel that speaks our major version: of the two minor versions the smaller one,
 * of the features those that both know.
 *
 * @returns `undefined` where its minor version is too old
 */
export function negotiate(request: InitRequest): Connection | undefined {
  if (request.minor < OLDEST_MINOR_VERSION) return undefined;
  return {
    minor: Math.min(request.minor, NEWEST_MINOR_VERSION),
    flags: request.flags & WANTED_FLAGS,
  };
}

/** Our version alone, for a kernel with a larger major version: it sends INIT again with ours. */
export const OUR_VERSION: Connection = { minor: NEWEST_MINOR_VERSION, flags: 0 };

/**
 * Writes fuse_init_out: `major, minor, max_readahead, flags: u32; max_background, congestion_threshold:
 * u16; max_write, time_gran: u32; max_pages, map_alignment: u16; flags2, max_stack_depth: u32; ...`.
 */
export function encodeInitReply(view: DataView, offset: number, connection: Connection): void {
  for (let i = 0; i < INIT_REPLY_SIZE; i += 4) view.setUint32(offset + i, 0, true);
  view.setUint32(offset, MAJOR_VERSION, true);
  view.setUint32(offset + 4, connection.minor, true);
  view.setUint32(offset + 8, MAX_READAHEAD, true);
  view.setUint32(offset + 12, connection.flags, true);
  view.setUint16(offset + 16, MAX_BACKGROUND, true);
  view.setUint16(offset + 18, CONGESTION_THRESHOLD, true);
  view.setUint32(offset + 20, MAX_WRITE, true);
  view.setUint32(offset + 24, 1, true);
  if ((connection.flags & INIT_FLAG.MAX_PAGES) !== 0) view.setUint16(offset + 28, MAX_PAGES, true);
}
