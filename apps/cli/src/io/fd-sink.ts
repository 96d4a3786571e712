import { writev } from "node:fs";
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
  write(bytes: Uint8Array): Promise<void> {
    return this.writeMany([bytes]);
  }

  /** {@link write} of one part after the other, with as few calls as the system allows. */
  async writeMany(parts: readonly Uint8Array[]): Promise<void> {
    let left = parts.filter((part) => part.byteLength > 0);
    while (left.length > 0) {
      this.#signal.throwIfAborted();
      left = after(left, await this.#writeSome(left));
    }
  }

  async #writeSome(parts: readonly Uint8Array[]): Promise<number> {
    try {
      return await this.#writeOnce(parts);
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

  #writeOnce(parts: readonly Uint8Array[]): Promise<number> {
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(this.#signal.reason);
      this.#signal.addEventListener("abort", stop, { once: true });
      this.#pending++;
      writev(this.#fd, parts, (error, written) => {
        this.#pending--;
        this.#signal.removeEventListener("abort", stop);
        if (error) reject(error);
        else resolve(written);
      });
    });
  }
}

/** What is left of `parts` behind the first `written` bytes. */
function after(parts: readonly Uint8Array[], written: number): Uint8Array[] {
  let skip = written;
  const first = parts.findIndex((part) => {
    if (skip < part.byteLength) return true;
    skip -= part.byteLength;
    return false;
  });
  if (first === -1) return [];
  const left = parts.slice(first);
  left[0] = (left[0] as Uint8Array).subarray(skip);
  return left;
}
