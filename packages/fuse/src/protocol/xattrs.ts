import { ERRNO, type Errno } from "../errno.js";
import { bodySize, type RequestBody } from "./body.js";
import { decodeXattrName } from "./names.js";
import { readUint32 } from "./numbers.js";

const XATTR_SIZE = 8;

/** Bytes of fuse_getxattr_out. */
export const XATTR_SIZE_REPLY_SIZE = 8;

/** A GETXATTR. */
export interface GetXattrRequest {
  readonly name: Uint8Array;
  /** Bytes that the value may have; 0 asks how many it has. */
  readonly size: number;
}

/** A LISTXATTR. */
export interface ListXattrRequest {
  /** Bytes that all names may have; 0 asks how many they have. */
  readonly size: number;
}

/** Decodes fuse_getxattr_in, `size, padding: u32`, and a name. */
export function decodeGetXattr(body: RequestBody): GetXattrRequest | Errno {
  if (bodySize(body) < XATTR_SIZE) return ERRNO.EINVAL;
  const name = decodeXattrName(body, body.start + XATTR_SIZE);
  return typeof name === "number" ? name : { name, size: readUint32(body.bytes, body.start) };
}

/** Decodes fuse_getxattr_in alone. */
export function decodeListXattr(body: RequestBody): ListXattrRequest | Errno {
  if (bodySize(body) !== XATTR_SIZE) return ERRNO.EINVAL;
  return { size: readUint32(body.bytes, body.start) };
}

/** Joins names as listxattr(2) gives them, a NUL after each. */
export function encodeXattrNames(names: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const name of names) size += name.byteLength + 1;
  const joined = new Uint8Array(size);
  let offset = 0;
  for (const name of names) {
    joined.set(name, offset);
    offset += name.byteLength + 1;
  }
  return joined;
}

/** Writes fuse_getxattr_out: `size, padding: u32`. */
export function encodeXattrSize(view: DataView, offset: number, size: number): void {
  view.setUint32(offset, size, true);
  view.setUint32(offset + 4, 0, true);
}
