import { closeSync, read } from "node:fs";
import type { Channel, RequestHandler } from "../channel/channel.js";
import { FuseError } from "../errors.js";
import { DeviceRequest, READ_BUFFER_LENGTH } from "./device-request.js";
import { ReplyWriter } from "./reply-writer.js";

/**
 * `/dev/fuse` without any native code: a thread of Node's pool waits for one request at a time. Each goes from
 * thread to thread, so it takes three times as long as with a {@link PolledDeviceChannel}.
 *
 * A process cannot exit while the thread waits: first the file system has to be unmounted, or its connection
 * aborted.
 */
export class ThreadedDeviceChannel implements Channel {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(READ_BUFFER_LENGTH);
  readonly #writer: ReplyWriter;
  #isServing = false;
  #isClosed = false;
  #end: ((error?: unknown) => void) | undefined;

  /** @param fd - of the device, mounted and blocking; it belongs to the channel */
  constructor(fd: number) {
    this.#fd = fd;
    this.#writer = new ReplyWriter(fd);
  }

  serve(handler: RequestHandler): Promise<void> {
    return new Promise((settle, reject) => {
      if (this.#isClosed) return settle();
      this.#isServing = true;
      this.#end = (error) => {
        this.#end = undefined;
        this.#isClosed = true;
        if (error === undefined) settle();
        else reject(error);
      };
      this.#readNext(handler);
    });
  }

  notify(parts: readonly Uint8Array[]): boolean {
    return !this.#isClosed && this.#writer.write(parts);
  }

  /** The descriptor is closed when the thread that waits on it returns. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#isServing) closeSync(this.#fd);
    this.#end?.();
  }

  send(parts: readonly Uint8Array[]): void {
    if (!this.#isClosed) this.#writer.answer(parts, this.#end);
  }

  #readNext(handler: RequestHandler): void {
    read(this.#fd, this.#buffer, 0, READ_BUFFER_LENGTH, null, (error, length) => {
      if (!this.#isClosed) this.#take(error, length, handler);
      if (this.#isClosed) closeSync(this.#fd);
      else this.#readNext(handler);
    });
  }

  #take(error: NodeJS.ErrnoException | null, length: number, handler: RequestHandler): void {
    if (error === null && length > 0) {
      handler(new DeviceRequest(this.#buffer.subarray(0, length), this));
      return;
    }
    switch (error?.code ?? "ENODEV") {
      // The request was taken back between the moment it was there and the read.
      case "ENOENT":
      case "EINTR":
      case "EAGAIN":
        return;
      // Unmounted, or the connection was aborted.
      case "ENODEV":
      case "ECONNABORTED":
        this.#end?.();
        return;
      default:
        this.#end?.(new FuseError("SYSTEM", "Cannot read from the FUSE device", { cause: error }));
    }
  }
}
