import { closeSync } from "node:fs";
import type { Channel, RequestHandler } from "../channel/channel.js";
import { FuseError } from "../errors.js";
import type { Koffi } from "../native/koffi.js";
import { LINUX, type Libc, libcOf } from "../native/libc.js";
import { type StopWatching, watchReadable } from "../native/watch-readable.js";
import { DeviceRequest, READ_BUFFER_LENGTH } from "./device-request.js";
import { ReplyWriter } from "./reply-writer.js";

/**
 * So often in a row an errno has to come that the device does not have: between the call and the question for it,
 * the engine may have made calls of its own that failed.
 */
const BELIEVED_FAILURES = 3;

/** After so many requests other work of the event loop gets its turn. */
const REQUESTS_A_TURN = 64;

/**
 * `/dev/fuse` on the event loop: as soon as the kernel has requests, they are read one after the other until
 * there are no more. No thread waits, and a request that is answered at once costs two system calls.
 */
export class PolledDeviceChannel implements Channel {
  readonly #koffi: Koffi;
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #buffer = new Uint8Array(new ArrayBuffer(READ_BUFFER_LENGTH));
  readonly #writer: ReplyWriter;
  #end: ((error?: unknown) => void) | undefined;
  #isClosed = false;
  #strangeFailures = 0;

  /** @param fd - of the device, mounted and non-blocking; it belongs to the channel */
  constructor(koffi: Koffi, fd: number) {
    this.#koffi = koffi;
    this.#libc = libcOf(koffi);
    this.#fd = fd;
    this.#writer = new ReplyWriter(fd, (bytes, length) => this.#write(bytes, length));
  }

  serve(handler: RequestHandler): Promise<void> {
    return new Promise((settle, reject) => {
      if (this.#isClosed) return settle();
      const stop = watchReadable(this.#koffi, this.#fd, () => this.#drain(handler));
      this.#end = (error) => {
        this.#end = undefined;
        this.#free(stop);
        if (error === undefined) settle();
        else reject(error);
      };
    });
  }

  notify(parts: readonly Uint8Array[]): boolean {
    return !this.#isClosed && this.#writer.write(parts);
  }

  close(): void {
    if (this.#isClosed) return;
    if (this.#end === undefined) this.#free(() => {});
    else this.#end();
  }

  send(parts: readonly Uint8Array[]): void {
    if (!this.#isClosed) this.#writer.answer(parts, this.#end);
  }

  /** The kernel ends the connection when the last descriptor of it is closed. */
  #free(stop: StopWatching): void {
    this.#isClosed = true;
    stop();
    closeSync(this.#fd);
  }

  #drain(handler: RequestHandler): void {
    for (let i = 0; i < REQUESTS_A_TURN; i++) {
      // The handler may have closed the channel.
      if (this.#isClosed) return;
      const length = this.#libc.read(this.#fd, this.#buffer, READ_BUFFER_LENGTH);
      if (length > 0) {
        this.#strangeFailures = 0;
        handler(new DeviceRequest(this.#buffer.subarray(0, length), this));
      } else if (!this.#goesOn(length)) {
        return;
      }
    }
  }

  /** Whether there may be more after a read without a request. */
  #goesOn(length: number): boolean {
    const errno = length === 0 ? LINUX.ENODEV : this.#libc.errno();
    switch (errno) {
      // The request was taken back between the moment it was there and the read.
      case LINUX.ENOENT:
      case LINUX.EINTR:
        return true;
      case LINUX.EAGAIN:
        this.#strangeFailures = 0;
        return false;
      // Unmounted, or the connection was aborted.
      case LINUX.ENODEV:
      case LINUX.ECONNABORTED:
        this.#end?.();
        return false;
      default:
        if (++this.#strangeFailures < BELIEVED_FAILURES) return true;
        this.#end?.(new FuseError("SYSTEM", `Cannot read from the FUSE device: errno ${errno}`));
        return false;
    }
  }

  /** An answer that the device did not take may be written again: one that it took is not asked for any more. */
  #write(bytes: Uint8Array, length: number): void {
    let errno = 0;
    for (let failures = 0; failures < BELIEVED_FAILURES; failures++) {
      if (this.#libc.write(this.#fd, bytes, length) === length) return;
      errno = this.#libc.errno();
      const code = KNOWN_CODES.get(errno);
      if (code !== undefined) throw Object.assign(new Error(`write failed: ${code}`), { code });
    }
    throw new Error(`write failed: errno ${errno}`);
  }
}

/** Names of the errors that a {@link ReplyWriter} knows. */
const KNOWN_CODES: ReadonlyMap<number, string> = new Map([
  [LINUX.ENOENT, "ENOENT"],
  [LINUX.ENODEV, "ENODEV"],
]);
