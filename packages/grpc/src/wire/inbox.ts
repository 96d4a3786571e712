import { type DescMessage, fromBinary, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Decompress } from "./compression.js";
import { checkFields } from "./field-limit.js";
import { Deframer, type RawMessage } from "./frame.js";

/** Default of {@link InboxOptions.highWaterBytes}. */
const HIGH_WATER_BYTES = 512 * 1024;

/** Complete messages that may wait. Beside the bytes: an empty message occupies memory too. */
const HIGH_WATER_MESSAGES = 64;

/** What the inbox needs of an HTTP/2 stream. */
export interface PausableStream {
  pause(): unknown;
  resume(): unknown;
  isPaused(): boolean;
}

interface Waiter {
  resolve(result: IteratorResult<Message, undefined>): void;
  reject(reason: unknown): void;
}

/** Options of {@link Inbox}. */
export interface InboxOptions {
  readonly schema: DescMessage;
  readonly maxBytes: number;
  /** Bytes of complete messages that may wait before the peer is stopped by flow control. Default: 512 KiB. */
  readonly highWaterBytes?: number | undefined;
  /** See `checkFields()`; without it, there may be as many as there are. */
  readonly maxFields?: number | undefined;
  /** Whether long messages go to shared memory. Default: no, since not all code takes that. */
  readonly shared?: boolean | undefined;
  /** For messages that are flagged as compressed. */
  readonly decompress?: Decompress | undefined;
  /** Called once when the consumer wants no more messages. */
  readonly onReturn?: () => void;
}

/**
 * The messages that come in over one HTTP/2 stream, to be pulled. They are decoded when they are asked for;
 * as long as nobody asks, the stream is paused and HTTP/2 flow control holds the peer.
 */
export class Inbox implements AsyncIterableIterator<Message, undefined> {
  readonly #stream: PausableStream;
  readonly #options: InboxOptions;
  readonly #deframer: Deframer;
  readonly #highWaterBytes: number;
  #queue: RawMessage[] = [];
  #queuedBytes = 0;
  #waiter: Waiter | undefined;
  #ended = false;
  #error: unknown;
  /** Encoded bytes of the messages received. */
  bytes = 0;
  /** Messages received. */
  count = 0;

  constructor(stream: PausableStream, options: InboxOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#highWaterBytes = options.highWaterBytes ?? HIGH_WATER_BYTES;
    this.#deframer = new Deframer(
      options.maxBytes,
      (message) => this.#receive(message),
      options.shared,
    );
  }

  /** Whether somebody waits for a message that has not come. */
  get waiting(): boolean {
    return this.#waiter !== undefined;
  }

  /** Whether a message has begun to come in and is not complete. */
  get partial(): boolean {
    return this.#deframer.partial;
  }

  /** Why nothing more comes, where that is an error. */
  get failure(): unknown {
    return this.#error;
  }

  /** Takes the bytes of a DATA frame. A peer that breaks the framing fails the inbox. */
  push(chunk: Buffer): void {
    if (this.#ended) {
      return;
    }
    try {
      this.#deframer.push(chunk);
    } catch (error) {
      this.fail(error);
    }
  }

  /** The peer has sent its last message. Whoever has taken them all gets `error`, where there is one. */
  end(error?: unknown): void {
    if (this.#ended) {
      return;
    }
    const torn = "Cannot receive message: the stream ends within it";
    this.#error =
      error ?? (this.partial ? new ConnectError(torn, Code.InvalidArgument) : undefined);
    this.#finish();
  }

  /** Nothing more comes. Messages that are complete are dropped, and whoever waits gets `error`. */
  fail(error: unknown): void {
    if (this.#ended) {
      return;
    }
    this.#error = error;
    this.#drop();
    this.#finish();
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    const raw = this.#queue.shift();
    if (raw !== undefined) {
      return this.#take(raw);
    }
    if (this.#ended) {
      return this.#error === undefined
        ? Promise.resolve({ done: true, value: undefined })
        : Promise.reject(this.#error);
    }
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  return(): Promise<IteratorResult<Message, undefined>> {
    this.#drop();
    this.#finish();
    this.#options.onReturn?.();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #receive(raw: RawMessage): void {
    this.count++;
    this.bytes += raw.bytes.byteLength;
    const waiter = this.#waiter;
    if (waiter === undefined) {
      this.#queue.push(raw);
      this.#queuedBytes += raw.bytes.byteLength;
      if (this.#queuedBytes > this.#highWaterBytes || this.#queue.length > HIGH_WATER_MESSAGES) {
        this.#stream.pause();
      }
      return;
    }
    this.#waiter = undefined;
    if (raw.compressed) {
      this.#decode(raw).then(waiter.resolve, waiter.reject);
      return;
    }
    try {
      waiter.resolve({ done: false, value: this.#parse(raw.bytes) });
    } catch (error) {
      waiter.reject(error);
    }
  }

  #take(raw: RawMessage): Promise<IteratorResult<Message, undefined>> {
    this.#queuedBytes -= raw.bytes.byteLength;
    const low =
      this.#queuedBytes <= this.#highWaterBytes / 2 &&
      this.#queue.length <= HIGH_WATER_MESSAGES / 2;
    if (low && !this.#ended && this.#stream.isPaused()) {
      this.#stream.resume();
    }
    return this.#decode(raw);
  }

  async #decode(raw: RawMessage): Promise<IteratorResult<Message, undefined>> {
    if (!raw.compressed) {
      return { done: false, value: this.#parse(raw.bytes) };
    }
    const { decompress, maxBytes } = this.#options;
    if (decompress === undefined) {
      throw new ConnectError(
        "Cannot receive message: it is compressed and grpc-encoding does not say how",
        Code.Internal,
      );
    }
    return { done: false, value: this.#parse(await decompress(raw.bytes, maxBytes)) };
  }

  #parse(bytes: Uint8Array): Message {
    const { schema, maxFields } = this.#options;
    if (maxFields !== undefined) {
      checkFields(schema, bytes, maxFields);
    }
    try {
      // As a plain Uint8Array: fields of the message are views of it, and Buffer must not leak to handlers.
      return fromBinary(schema, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    } catch (error) {
      throw new ConnectError(
        `Cannot decode ${schema.typeName}`,
        Code.InvalidArgument,
        undefined,
        undefined,
        error,
      );
    }
  }

  #drop(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
  }

  #finish(): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    if (this.#stream.isPaused()) {
      // What still comes is thrown away; a paused stream would never close.
      this.#stream.resume();
    }
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (this.#error !== undefined) {
      waiter?.reject(this.#error);
    } else {
      waiter?.resolve({ done: true, value: undefined });
    }
  }
}
