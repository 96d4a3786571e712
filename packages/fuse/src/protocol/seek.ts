import { ERRNO, type Errno } from "../errno.js";
import type { SeekTo } from "../file-system.js";
import { bodySize, type RequestBody } from "./body.js";
import { SEEK } from "./flags.js";
import { readUint32, readUint64, TOO_LARGE, writeUint64 } from "./numbers.js";

const SEEK_SIZE = 24;

/** Bytes of fuse_lseek_out. */
export const SEEK_REPLY_SIZE = 8;

/** An LSEEK. */
export interface SeekRequest {
  readonly handle: number;
  readonly offset: number;
  readonly to: SeekTo;
}

/** Decodes fuse_lseek_in: `fh, offset: u64; whence, padding: u32`. An offset that no file reaches lies behind the end: ENXIO. */
export function decodeSeek(body: RequestBody): SeekRequest | Errno {
  if (bodySize(body) !== SEEK_SIZE) return ERRNO.EINVAL;
  const handle = readUint64(body.bytes, body.start);
  const offset = readUint64(body.bytes, body.start + 8);
  const whence = readUint32(body.bytes, body.start + 16);
  if (handle === TOO_LARGE) return ERRNO.EBADF;
  if (whence !== SEEK.DATA && whence !== SEEK.HOLE) return ERRNO.EINVAL;
  if (offset === TOO_LARGE) return ERRNO.ENXIO;
  return { handle, offset, to: whence === SEEK.DATA ? "data" : "hole" };
}

/** Writes fuse_lseek_out: `offset: u64`. */
export function encodeSeekReply(view: DataView, offset: number, position: number): void {
  writeUint64(view, offset, position);
}
