import { ERRNO } from "../errno.js";
import type { OpenReply } from "../file-system.js";
import {
  decodeOpen,
  decodeRead,
  decodeRelease,
  encodeOpenReply,
  OPEN_REPLY_SIZE,
  type ReadRequest,
  type ReleaseRequest,
} from "../protocol/files.js";
import { INIT_FLAG } from "../protocol/flags.js";
import { MAX_READ_SIZE } from "../protocol/limits.js";
import {
  decodeSeek,
  encodeSeekReply,
  SEEK_REPLY_SIZE,
  type SeekRequest,
} from "../protocol/seek.js";
import type { Exchange } from "./exchange.js";
import type { Operation } from "./operation.js";
import { REPLY_BODY } from "./reply-buffer.js";

/**
 * OPEN. Where the file system opens nothing but the kernel insists on it, it is told so on the file
 * system's behalf.
 */
export const OPEN: Operation<undefined, OpenReply> = {
  replySize: OPEN_REPLY_SIZE,
  decode: decodeOpen,
  call: (fileSystem, exchange) => fileSystem.open(exchange.nodeId, exchange),
  instead: (errno, exchange) =>
    errno === ERRNO.ENOSYS && !canDoWithout(exchange, INIT_FLAG.NO_OPEN_SUPPORT)
      ? { handle: 0, keepCache: true }
      : undefined,
  reply: replyOpened,
};

/** OPENDIR, as {@link OPEN}. */
export const OPENDIR: Operation<undefined, OpenReply> = {
  replySize: OPEN_REPLY_SIZE,
  decode: decodeOpen,
  call: (fileSystem, exchange) => fileSystem.opendir(exchange.nodeId, exchange),
  instead: (errno, exchange) =>
    errno === ERRNO.ENOSYS && !canDoWithout(exchange, INIT_FLAG.NO_OPENDIR_SUPPORT)
      ? { handle: 0, keepCache: true, cacheDirectory: true }
      : undefined,
  reply: replyOpened,
};

/** RELEASE. Handle 0 stands for nothing that could be let go. */
export const RELEASE: Operation<ReleaseRequest, undefined> = {
  replySize: 0,
  decode: decodeRelease,
  call: (fileSystem, exchange, { handle }) => {
    if (handle !== 0) fileSystem.release(exchange.nodeId, handle);
    return undefined;
  },
  reply: (exchange) => exchange.answer(0),
};

/** RELEASEDIR */
export const RELEASEDIR: Operation<ReleaseRequest, undefined> = {
  replySize: 0,
  decode: decodeRelease,
  call: (fileSystem, exchange, { handle }) => {
    if (handle !== 0) fileSystem.releasedir(exchange.nodeId, handle);
    return undefined;
  },
  reply: (exchange) => exchange.answer(0),
};

/** READ. The kernel takes a short answer for the end of the file, so what is asked for is never cut. */
export const READ: Operation<ReadRequest, readonly Uint8Array[]> = {
  replySize: 0,
  decode: decodeRead,
  weigh: ({ size }) => size,
  call(fileSystem, exchange, { handle, offset, size }) {
    if (size > Math.min(MAX_READ_SIZE, exchange.bodyCapacity)) return ERRNO.EINVAL;
    return fileSystem.read(exchange.nodeId, handle, offset, size, exchange);
  },
  reply(exchange, pieces, { size }) {
    let length = 0;
    for (const piece of pieces) length += piece.byteLength;
    if (length > size) {
      throw new RangeError(`Cannot answer a read of ${size} bytes: there are ${length}`);
    }
    exchange.answerData(pieces, length);
  },
};

/** LSEEK */
export const LSEEK: Operation<SeekRequest, { readonly offset: number }> = {
  replySize: SEEK_REPLY_SIZE,
  decode: decodeSeek,
  call: (fileSystem, exchange, { handle, offset, to }) =>
    fileSystem.lseek === undefined
      ? ERRNO.ENOSYS
      : fileSystem.lseek(exchange.nodeId, handle, offset, to, exchange),
  reply(exchange, { offset }) {
    encodeSeekReply(exchange.view, REPLY_BODY, offset);
    exchange.answer(SEEK_REPLY_SIZE);
  },
};

function replyOpened(exchange: Exchange, reply: OpenReply): void {
  encodeOpenReply(exchange.view, REPLY_BODY, reply);
  exchange.answer(OPEN_REPLY_SIZE);
}

function canDoWithout(exchange: Exchange, flag: number): boolean {
  return ((exchange.connection?.flags ?? 0) & flag) !== 0;
}
