import { ERRNO, type Errno } from "../errno.js";
import { bodySize, type RequestBody } from "./body.js";
import { ACCESS_WRITE } from "./flags.js";
import { type UniqueKey, uniqueKey } from "./header.js";
import { readUint32 } from "./numbers.js";

const GETATTR_SIZE = 16;
const ACCESS_SIZE = 8;
const INTERRUPT_SIZE = 8;

/** Decodes a request that is all said by its header: READLINK, STATFS, DESTROY. */
export function decodeEmpty(body: RequestBody): undefined | Errno {
  return bodySize(body) === 0 ? undefined : ERRNO.EINVAL;
}

/** Decodes fuse_getattr_in: `getattr_flags, dummy: u32; fh: u64`. Attributes do not depend on the handle. */
export function decodeGetattr(body: RequestBody): undefined | Errno {
  return bodySize(body) === GETATTR_SIZE ? undefined : ERRNO.EINVAL;
}

/** An ACCESS that does not ask for writing. */
export interface AccessRequest {
  readonly mask: number;
}

/** Decodes fuse_access_in: `mask, padding: u32`. */
export function decodeAccess(body: RequestBody): AccessRequest | Errno {
  if (bodySize(body) !== ACCESS_SIZE) return ERRNO.EINVAL;
  const mask = readUint32(body.bytes, body.start);
  return (mask & ACCESS_WRITE) === 0 ? { mask } : ERRNO.EROFS;
}

/** Decodes fuse_interrupt_in: `unique: u64`, the request that is no longer wanted; `undefined` where it is malformed. */
export function decodeInterrupt(body: RequestBody): UniqueKey | undefined {
  if (bodySize(body) !== INTERRUPT_SIZE) return undefined;
  return uniqueKey(readUint32(body.bytes, body.start), readUint32(body.bytes, body.start + 4));
}
