import { write } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { CliError, EXIT } from "../exit.js";
import { BrokenPipeError, type ByteSink } from "./output.js";

/** How long to wait for a full pipe that somebody has made non-blocking. */
const RETRY_MS = 1;

/**
 * Writes to the file descriptor of standard output. Unlike `process.stdout`, a reader that does not read holds up only
 * the write, not the whole process: Ctrl-C still works. For that `process.stdout` must never be
 * touched: Node makes a pipe behind it non-blocking, and each write would be cut off where the pipe
 * is full.
 */
export class FdSink implements ByteSink {
  readonly #fd: number;
  readonly #signal: AbortSignal;
  #pending = 0;

  /** @param signal - ends a write that waits for its reader; it rejects with the signal's reason */
  constructor(fd: number, signal: AbortSignal) {
    this.#fd = fd;
    this.#signal = signal;
  }

  /** Whether the system still holds a write back, though its promise may have been rejected. */
  get isBlocked(): boolean {
    return this.#pending > 0;
  }

  /**
   * @throws {@link BrokenPipeError} when nobody reads any more
   * @throws {@link CliError} when the system refuses: the disk is full, ...
   */
  async write(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.byteLength; ) {
      this.#signal.throwIfAborted();
      offset += await this.#writeSome(bytes, offset);
    }
  }

  async #writeSome(bytes: Uint8Array, offset: number): Promise<number> {
    try {
      return await this.#writeOnce(bytes, offset);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EPIPE") throw new BrokenPipeError("Nobody reads the output", { cause: error });
      if (code !== "EAGAIN") {
        this.#signal.throwIfAborted();
        throw new CliError(EXIT.failed, "cannot write to standard output", { cause: error });
      }
      await delay(RETRY_MS);
      return 0;
    }
  }

  #writeOnce(bytes: Uint8Array, offset: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(this.#signal.reason);
      this.#signal.addEventListener("abort", stop, { once: true });
      this.#pending++;
      write(this.#fd, bytes, offset, (error, written) => {
        this.#pending--;
        this.#signal.removeEventListener("abort", stop);
        if (error) reject(error);
        else resolve(written);
      });
    });
  }
}
