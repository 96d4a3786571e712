import { concatBytes } from "@tvix/castore";
import type { Channel, RequestHandler } from "../channel/channel.js";

/** A channel whose other side is a test: requests are given to it, answers come back. */
export class MemoryChannel implements Channel {
  /** Messages that were no answers, in order. */
  readonly notifications: Uint8Array[] = [];
  /** Answers to requests that had one already. */
  answersTooMany = 0;
  /** What {@link notify} says. */
  takesNotifications = true;
  #handler: RequestHandler | undefined;
  #end: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  serve(handler: RequestHandler): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#handler = handler;
    return new Promise((resolve, reject) => {
      this.#end = { resolve, reject };
    });
  }

  /**
   * Sends a request, in memory that is overwritten as soon as the handler has returned.
   *
   * @returns the answer in one piece; empty where there is none
   */
  send(message: Uint8Array, replyCapacity: number = Number.MAX_SAFE_INTEGER): Promise<Uint8Array> {
    const handler = this.#handler;
    if (handler === undefined) throw new Error("Cannot send a request: nobody serves the channel");
    return new Promise((resolve) => {
      const bytes = Uint8Array.from(message);
      let isAnswered = false;
      const reply = (parts: readonly Uint8Array[]): void => {
        if (isAnswered) this.answersTooMany++;
        isAnswered = true;
        resolve(concatBytes(parts));
      };
      handler({ bytes, replyCapacity, reply });
      bytes.fill(0xa5);
    });
  }

  notify(parts: readonly Uint8Array[]): boolean {
    if (this.takesNotifications) this.notifications.push(concatBytes(parts));
    return this.takesNotifications;
  }

  close(): void {
    this.#isClosed = true;
    this.#end?.resolve();
  }

  /** Ends the channel from the other side, as when it is unmounted. */
  hangUp(): void {
    this.#end?.resolve();
  }

  /** Ends the channel with a failure. */
  breakDown(error: Error): void {
    this.#end?.reject(error);
  }
}
