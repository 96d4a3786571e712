import { ERRNO, type Errno } from "../errno.js";
import type { RequestBody } from "./body.js";
import { MAX_NAME_LENGTH, MAX_XATTR_NAME_LENGTH } from "./limits.js";

const SLASH = 0x2f;
const DOT = 0x2e;

/** What LOOKUP asks for: a name up to its NUL, one component of a path. */
export function decodeLookup(body: RequestBody): Uint8Array | Errno {
  const name = copyName(body, body.start, MAX_NAME_LENGTH);
  if (typeof name === "number") return name;
  if (name.includes(SLASH) || isDots(name)) return ERRNO.EINVAL;
  return name;
}

/** The name of an extended attribute, up to its NUL. */
export function decodeXattrName(body: RequestBody, start: number): Uint8Array | Errno {
  return copyName(body, start, MAX_XATTR_NAME_LENGTH);
}

/** A copy, since names are needed longer than the message is there. */
function copyName(body: RequestBody, start: number, maxLength: number): Uint8Array | Errno {
  const { bytes, end } = body;
  const length = end - start - 1;
  if (length < 1) return ERRNO.EINVAL;
  if (length > maxLength) return ERRNO.ENAMETOOLONG;
  const name = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const byte = bytes[start + i] as number;
    if (byte === 0) return ERRNO.EINVAL;
    name[i] = byte;
  }
  return bytes[end - 1] === 0 ? name : ERRNO.EINVAL;
}

/** `.` and `..` are asked for by kernels only where FUSE_EXPORT_SUPPORT was agreed on. */
function isDots(name: Uint8Array): boolean {
  return name[0] === DOT && (name.byteLength === 1 || (name.byteLength === 2 && name[1] === DOT));
}
