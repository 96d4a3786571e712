import type { ChannelRequest } from "../channel/channel.js";

/**
 * Length of the buffer that requests are read into. The kernel refuses to fill one that does not have room for
 * the longest write it may send, which is the `max_write` of the answer to FUSE_INIT and some headers, and
 * wants 8 KiB at least (FUSE_MIN_READ_BUFFER of linux/fuse.h).
 */
export const READ_BUFFER_LENGTH: number = 128 * 1024;

/** Where a device channel takes its answers. */
export interface ReplyTarget {
  send(parts: readonly Uint8Array[]): void;
}

/** A request from a device. What an answer may be is said in the request itself, so there is no other limit. */
export class DeviceRequest implements ChannelRequest {
  readonly bytes: Uint8Array;
  readonly replyCapacity: number;
  readonly #target: ReplyTarget;

  constructor(bytes: Uint8Array, target: ReplyTarget) {
    this.bytes = bytes;
    this.replyCapacity = Number.MAX_SAFE_INTEGER;
    this.#target = target;
  }

  reply(parts: readonly Uint8Array[]): void {
    if (parts.length > 0) this.#target.send(parts);
  }
}
