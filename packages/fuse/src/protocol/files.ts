import { ERRNO, type Errno } from "../errno.js";
import type { OpenReply } from "../file-system.js";
import { bodySize, type RequestBody } from "./body.js";
import { OPEN_FLAG, OPEN_REPLY_FLAG } from "./flags.js";
import { readUint32, readUint64, TOO_LARGE, writeUint64 } from "./numbers.js";

const OPEN_SIZE = 8;
const READ_SIZE = 40;
const RELEASE_SIZE = 24;

/** Bytes of fuse_open_out. */
export const OPEN_REPLY_SIZE = 16;

/** A READ, READDIR or READDIRPLUS: fuse_read_in. */
export interface ReadRequest {
  readonly handle: number;
  readonly offset: number;
  /** Bytes that are wanted. */
  readonly size: number;
}

/** A RELEASE or RELEASEDIR. */
export interface ReleaseRequest {
  readonly handle: number;
}

/** Decodes fuse_open_in, `flags, open_flags: u32`: whether the file is only to be read. */
export function decodeOpen(body: RequestBody): undefined | Errno {
  if (bodySize(body) !== OPEN_SIZE) return ERRNO.EINVAL;
  const flags = readUint32(body.bytes, body.start);
  return (flags & (OPEN_FLAG.ACCESS_MODE | OPEN_FLAG.TRUNCATE)) === 0 ? undefined : ERRNO.EROFS;
}

/** Decodes fuse_read_in: `fh, offset: u64; size, read_flags: u32; lock_owner: u64; flags, padding: u32`. */
export function decodeRead(body: RequestBody): ReadRequest | Errno {
  if (bodySize(body) !== READ_SIZE) return ERRNO.EINVAL;
  const handle = readUint64(body.bytes, body.start);
  const offset = readUint64(body.bytes, body.start + 8);
  if (handle === TOO_LARGE) return ERRNO.EBADF;
  if (offset === TOO_LARGE) return ERRNO.EOVERFLOW;
  return { handle, offset, size: readUint32(body.bytes, body.start + 16) };
}

/** Decodes fuse_release_in: `fh: u64; flags, release_flags: u32; lock_owner: u64`. */
export function decodeRelease(body: RequestBody): ReleaseRequest | Errno {
  if (bodySize(body) !== RELEASE_SIZE) return ERRNO.EINVAL;
  const handle = readUint64(body.bytes, body.start);
  return handle === TOO_LARGE ? ERRNO.EBADF : { handle };
}

/** Writes fuse_open_out: `fh: u64; open_flags, padding: u32`. There is nothing to flush: nothing is written. */
export function encodeOpenReply(view: DataView, offset: number, reply: OpenReply): void {
  let flags: number = OPEN_REPLY_FLAG.NOFLUSH;
  if (reply.keepCache) flags |= OPEN_REPLY_FLAG.KEEP_CACHE;
  if (reply.cacheDirectory) flags |= OPEN_REPLY_FLAG.CACHE_DIR;
  writeUint64(view, offset, reply.handle);
  view.setUint32(offset + 8, flags, true);
  view.setUint32(offset + 12, 0, true);
}
