import { ERRNO } from "../errno.js";
import type { AttributesReply, Entry, FileSystemStatistics } from "../file-system.js";
import {
  ATTRIBUTES_REPLY_SIZE,
  ENTRY_SIZE,
  encodeAttributesReply,
  encodeEntry,
} from "../protocol/attributes.js";
import { decodeLookup } from "../protocol/names.js";
import {
  type AccessRequest,
  decodeAccess,
  decodeEmpty,
  decodeGetattr,
} from "../protocol/plain-requests.js";
import { encodeStatistics, STATISTICS_SIZE } from "../protocol/statistics.js";
import type { Operation } from "./operation.js";
import { REPLY_BODY } from "./reply-buffer.js";

/** LOOKUP */
export const LOOKUP: Operation<Uint8Array, Entry> = {
  replySize: ENTRY_SIZE,
  decode: decodeLookup,
  call: (fileSystem, exchange, name) => fileSystem.lookup(exchange.nodeId, name, exchange),
  reply(exchange, entry) {
    encodeEntry(exchange.view, REPLY_BODY, entry);
    exchange.answer(ENTRY_SIZE);
  },
};

/** GETATTR */
export const GETATTR: Operation<undefined, AttributesReply> = {
  replySize: ATTRIBUTES_REPLY_SIZE,
  decode: decodeGetattr,
  call: (fileSystem, exchange) => fileSystem.getattr(exchange.nodeId, exchange),
  reply(exchange, attributes) {
    encodeAttributesReply(exchange.view, REPLY_BODY, attributes);
    exchange.answer(ATTRIBUTES_REPLY_SIZE);
  },
};

/** READLINK. The kernel adds the NUL. */
export const READLINK: Operation<undefined, Uint8Array> = {
  replySize: 1,
  decode: decodeEmpty,
  call: (fileSystem, exchange) => fileSystem.readlink(exchange.nodeId, exchange),
  reply(exchange, target) {
    if (target.byteLength > exchange.bodyCapacity) exchange.fail(ERRNO.ENAMETOOLONG);
    else exchange.answerData([target], target.byteLength);
  },
};

/** STATFS */
export const STATFS: Operation<undefined, FileSystemStatistics> = {
  replySize: STATISTICS_SIZE,
  decode: decodeEmpty,
  call: (fileSystem, exchange) => fileSystem.statfs(exchange),
  reply(exchange, statistics) {
    encodeStatistics(exchange.view, REPLY_BODY, statistics);
    exchange.answer(STATISTICS_SIZE);
  },
};

/** ACCESS. Writing is refused before anybody is asked. */
export const ACCESS: Operation<AccessRequest, undefined> = {
  replySize: 0,
  decode: decodeAccess,
  call: (fileSystem, exchange, { mask }) =>
    fileSystem.access === undefined
      ? ERRNO.ENOSYS
      : fileSystem.access(exchange.nodeId, mask, exchange),
  reply: (exchange) => exchange.answer(0),
};
