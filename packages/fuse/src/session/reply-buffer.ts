import { encodeReplyHeader, REPLY_HEADER_SIZE, type RequestHeader } from "../protocol/header.js";

/** Where the body of an answer begins in the buffer. */
export const REPLY_BODY: number = REPLY_HEADER_SIZE;

/** Bytes of the largest body of fixed size, fuse_entry_out. */
const MAX_FIXED_SIZE = 128;

/**
 * Room for the header and the fixed part of an answer, the same for one answer after the other: a channel
 * has taken an answer when its reply() returns.
 */
export class ReplyBuffer {
  readonly view: DataView<ArrayBuffer> = new DataView(
    new ArrayBuffer(REPLY_HEADER_SIZE + MAX_FIXED_SIZE),
  );
  readonly #parts: (readonly Uint8Array[] | undefined)[] = [];

  /** The answer whose body is the `bodySize` bytes from {@link REPLY_BODY} on. */
  fixed(header: RequestHeader, bodySize: number, errno: number): readonly Uint8Array[] {
    const length = REPLY_HEADER_SIZE + bodySize;
    encodeReplyHeader(this.view, length, errno, header.uniqueLow, header.uniqueHigh);
    const parts = this.#parts[bodySize];
    if (parts !== undefined) return parts;
    const made = [new Uint8Array(this.view.buffer, 0, length)];
    this.#parts[bodySize] = made;
    return made;
  }

  /** The answer whose body are the `pieces`, `size` bytes in all, which are not copied. */
  data(header: RequestHeader, pieces: readonly Uint8Array[], size: number): readonly Uint8Array[] {
    const [start] = this.fixed(header, 0, 0);
    encodeReplyHeader(this.view, REPLY_HEADER_SIZE + size, 0, header.uniqueLow, header.uniqueHigh);
    return start === undefined ? pieces : [start, ...pieces];
  }
}
