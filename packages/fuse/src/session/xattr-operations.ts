import { ERRNO } from "../errno.js";
import {
  decodeGetXattr,
  decodeListXattr,
  encodeXattrNames,
  encodeXattrSize,
  type GetXattrRequest,
  type ListXattrRequest,
  XATTR_SIZE_REPLY_SIZE,
} from "../protocol/xattrs.js";
import type { Exchange } from "./exchange.js";
import type { Operation } from "./operation.js";
import { REPLY_BODY } from "./reply-buffer.js";

/** GETXATTR */
export const GETXATTR: Operation<GetXattrRequest, Uint8Array> = {
  replySize: XATTR_SIZE_REPLY_SIZE,
  decode: decodeGetXattr,
  call: (fileSystem, exchange, { name }) =>
    fileSystem.getxattr === undefined
      ? ERRNO.ENOSYS
      : fileSystem.getxattr(exchange.nodeId, name, exchange),
  reply: (exchange, value, { size }) => replySized(exchange, value, size),
};

/** LISTXATTR */
export const LISTXATTR: Operation<ListXattrRequest, readonly Uint8Array[]> = {
  replySize: XATTR_SIZE_REPLY_SIZE,
  decode: decodeListXattr,
  call: (fileSystem, exchange) =>
    fileSystem.listxattr === undefined
      ? ERRNO.ENOSYS
      : fileSystem.listxattr(exchange.nodeId, exchange),
  reply: (exchange, names, { size }) => replySized(exchange, encodeXattrNames(names), size),
};

/** The value, or how many bytes it has where none were asked for. */
function replySized(exchange: Exchange, value: Uint8Array, size: number): void {
  if (size === 0) {
    encodeXattrSize(exchange.view, REPLY_BODY, value.byteLength);
    exchange.answer(XATTR_SIZE_REPLY_SIZE);
  } else if (value.byteLength > Math.min(size, exchange.bodyCapacity)) {
    exchange.fail(ERRNO.ERANGE);
  } else {
    exchange.answerData([value], value.byteLength);
  }
}
