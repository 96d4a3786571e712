import type { Channel, RequestHandler } from "../channel/channel.js";
import type { Koffi } from "../native/koffi.js";
import { type Libc, libcOf } from "../native/libc.js";
import { MessageReceiver } from "../native/receive-message.js";
import { watchReadable } from "../native/watch-readable.js";
import { systemHost } from "./system-host.js";
import { decodeHeader, type MessageHeader } from "./vhost-user-codec.js";
import { VhostUserDevice } from "./vhost-user-device.js";
import { HEADER_LENGTH, MAX_MESSAGE_FDS, MAX_PAYLOAD_LENGTH } from "./vhost-user-protocol.js";
import { VirtiofsError } from "./virtiofs-error.js";

/** What a channel needs besides its socket. */
export interface VirtiofsChannelOptions {
  /** What went wrong and did not end the channel: a queue that stopped, a request of the front-end that was refused. */
  onProblem?: (error: unknown) => void;
}

/**
 * Requests of a virtual machine, from all queues of its virtio-fs device, over one connection of vhost-user.
 *
 * A guest that restarts sends another INIT over the same channel; a front-end that restarts connects anew.
 */
export class VirtiofsChannel implements Channel {
  readonly #koffi: Koffi;
  readonly #libc: Libc;
  readonly #socket: number;
  readonly #options: VirtiofsChannelOptions;
  readonly #receiver: MessageReceiver;
  /** Files of the message that is being received. */
  #files: number[] = [];
  #device: VhostUserDevice | undefined;
  #wake: (() => void) | undefined;
  #isClosed = false;

  /** @param socket - connected and non-blocking; the channel closes it */
  constructor(koffi: Koffi, socket: number, options: VirtiofsChannelOptions = {}) {
    this.#koffi = koffi;
    this.#libc = libcOf(koffi);
    this.#socket = socket;
    this.#options = options;
    const limits = { maxBytes: MAX_PAYLOAD_LENGTH, maxDescriptors: MAX_MESSAGE_FDS };
    this.#receiver = new MessageReceiver(koffi, limits);
  }

  /**
   * Hands out requests until the front-end closes the connection.
   *
   * @throws {@link VirtiofsError} (as a rejection) when it breaks the rules
   */
  async serve(handler: RequestHandler): Promise<void> {
    const device = new VhostUserDevice({
      host: systemHost(this.#koffi),
      handler,
      onProblem: (error) => this.#options.onProblem?.(error),
    });
    this.#device = device;
    try {
      while (await this.#handleNext(device)) {
        // Each message is handled before the next one is read.
      }
    } finally {
      this.close();
    }
  }

  /** Guests are told nothing: virtio-fs has no queue for that. */
  notify(): boolean {
    return false;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#device?.close();
    this.#wake?.();
    for (const file of this.#files.splice(0)) this.#libc.close(file);
    this.#libc.close(this.#socket);
  }

  /** @returns whether there may be another message */
  async #handleNext(device: VhostUserDevice): Promise<boolean> {
    const start = await this.#receive(HEADER_LENGTH, true);
    if (start === undefined) return false;
    const header: MessageHeader = decodeHeader(start);
    const payload = await this.#receive(header.payloadLength, false);
    if (payload === undefined) return false;
    const answer = await device.handle(header, payload, this.#files.splice(0));
    if (answer !== undefined && !this.#isClosed) this.#send(answer);
    return !this.#isClosed;
  }

  /**
   * Exactly `length` bytes.
   *
   * @param mayEnd - whether the connection may end before the first of them
   * @returns `undefined` when it ended there, or the channel was closed
   */
  async #receive(length: number, mayEnd: boolean): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(new ArrayBuffer(length));
    let at = 0;
    while (at < length && !this.#isClosed) {
      const message = this.#receiver.receive(this.#socket, length - at);
      if (message === undefined) await this.#readable();
      else {
        this.#keepFiles(message.descriptors);
        if (message.bytes.length === 0) {
          if (mayEnd && at === 0) return undefined;
          throw new VirtiofsError("message", "Cannot take a message: the connection ended in it");
        }
        bytes.set(message.bytes, at);
        at += message.bytes.length;
      }
    }
    return this.#isClosed ? undefined : bytes;
  }

  #keepFiles(files: readonly number[]): void {
    this.#files.push(...files);
    if (this.#files.length <= MAX_MESSAGE_FDS) return;
    throw new VirtiofsError("message", `Cannot take a message: more than ${MAX_MESSAGE_FDS} files`);
  }

  #readable(): Promise<void> {
    return new Promise((resolve) => {
      const stop = watchReadable(this.#koffi, this.#socket, () => this.#wake?.());
      this.#wake = () => {
        this.#wake = undefined;
        stop();
        resolve();
      };
    });
  }

  // Answers are short, and the front-end waits for each of them: one that does not fit is not being read.
  #send(answer: Uint8Array): void {
    if (this.#libc.write(this.#socket, answer, answer.length) === answer.length) return;
    throw new VirtiofsError("message", "Cannot answer the front-end: it does not read");
  }
}
