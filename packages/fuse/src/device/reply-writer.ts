import { writeSync, writevSync } from "node:fs";
import { FuseError } from "../errors.js";

/** Answers of up to this length are copied together: cheaper than a call with many parts. */
const COPIED_LENGTH = 8192;

/** The kernel takes no more parts than this in one call (UIO_MAXIOV of linux/uio.h). */
const MAX_PARTS = 1024;

/**
 * Writes answers to a device, each in one call, as the device wants it. Errors that only say that nobody waits for the
 * answer any more are dropped.
 */
export class ReplyWriter {
  readonly #scratch = new Uint8Array(new ArrayBuffer(COPIED_LENGTH));
  readonly #write: (bytes: Uint8Array, length: number) => void;
  readonly #fd: number;

  /** @param write - writes one piece, where there is a faster way than that of Node; throws as Node does */
  constructor(fd: number, write?: (bytes: Uint8Array, length: number) => void) {
    this.#fd = fd;
    this.#write = write ?? ((bytes, length) => writeSync(fd, bytes, 0, length, null));
  }

  /**
   * Writes a message.
   *
   * @returns `false` when nobody waits for it (ENOENT) or the connection has ended (ENODEV)
   * @throws {@link FuseError} when the device refuses the message, which then is malformed
   */
  write(parts: readonly Uint8Array[]): boolean {
    try {
      this.#writeParts(parts);
      return true;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "ENOENT" || code === "ENODEV" || code === "EPIPE") return false;
      throw new FuseError("SYSTEM", "Cannot write to the FUSE device", { cause: error });
    }
  }

  /** Writes an answer; a device that refuses it ends the channel, since a request would wait for ever. */
  answer(parts: readonly Uint8Array[], endChannel: ((error: unknown) => void) | undefined): void {
    try {
      this.write(parts);
    } catch (error) {
      endChannel?.(error);
    }
  }

  #writeParts(parts: readonly Uint8Array[]): void {
    const [first] = parts;
    let length = 0;
    for (const part of parts) length += part.length;
    if (parts.length === 1 && first !== undefined) this.#write(first, length);
    else if (length <= COPIED_LENGTH) this.#write(joinInto(this.#scratch, parts), length);
    else if (parts.length <= MAX_PARTS) writevSync(this.#fd, [...parts]);
    else this.#write(joinInto(new Uint8Array(length), parts), length);
  }
}

function joinInto(target: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  let at = 0;
  for (const part of parts) {
    target.set(part, at);
    at += part.length;
  }
  return target;
}
