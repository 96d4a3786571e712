import type { EncodedMessage } from "./frame.js";

/** What the outbox needs of an HTTP/2 stream. */
export interface WritableEnd {
  write(bytes: Uint8Array, callback?: () => void): unknown;
  end(bytes?: Uint8Array): unknown;
  cork(): void;
  uncork(): void;
}

/**
 * Bytes that may wait to be sent before no more are asked for: the next message is made while the one
 * before is on its way.
 */
const MAX_UNSENT_BYTES = 1280 * 1024;

/** Writes encoded messages to one HTTP/2 stream, and tells when there is room for more. */
export class Outbox {
  readonly #stream: WritableEnd;
  #unsent = 0;
  #wake: (() => void) | undefined;

  constructor(stream: WritableEnd) {
    this.#stream = stream;
  }

  /** Whether somebody waits for the peer to take what was written. */
  get waiting(): boolean {
    return this.#wake !== undefined;
  }

  /** Whether more should be written now. */
  get hasRoom(): boolean {
    return this.#unsent <= MAX_UNSENT_BYTES;
  }

  /** Writes the parts of a message, which must stay as they are until they are sent. */
  write(parts: EncodedMessage): void {
    let bytes = 0;
    for (const part of parts) {
      bytes += part.byteLength;
    }
    this.#unsent += bytes;
    const onSent = (): void => {
      this.#unsent -= bytes;
      if (this.hasRoom) {
        this.wake();
      }
    };
    this.#writeAll(parts, (last) => void this.#stream.write(last, onSent));
  }

  /** Writes the parts of the last message. */
  end(parts: EncodedMessage): void {
    this.#writeAll(parts, (last) => void this.#stream.end(last));
  }

  /** Resolves when there is room again, or {@link wake} is called. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Ends the wait of {@link drained}: there is nothing more to wait for. */
  wake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** In one piece where there are several: frames of a few bytes would go out otherwise. */
  #writeAll(parts: EncodedMessage, writeLast: (last: Uint8Array) => void): void {
    const last = parts[parts.length - 1] as Uint8Array;
    if (parts.length === 1) {
      writeLast(last);
      return;
    }
    const stream = this.#stream;
    stream.cork();
    for (const part of parts.slice(0, -1)) {
      stream.write(part);
    }
    writeLast(last);
    stream.uncork();
  }
}
