import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { cancelStream } from "../wire/cancel-stream.js";
import { decompressorFor } from "../wire/compression.js";
import { type EncodedMessage, encodeMessage } from "../wire/frame.js";
import { Inbox } from "../wire/inbox.js";
import { addMetadata } from "../wire/metadata.js";
import { Outbox } from "../wire/outbox.js";
import { errorTrailers, OK_TRAILERS } from "../wire/status.js";
import { parseTimeout, startTimer } from "../wire/timeout.js";
import { CallContext } from "./call-context.js";
import type { RequestEnd } from "./hooks.js";
import { invoke } from "./invoke.js";
import type { RpcServerLimits } from "./limits.js";
import type { MethodEntry } from "./method-table.js";

/** Headers of every response. */
const RESPONSE_HEADERS: Readonly<OutgoingHttpHeaders> = {
  ":status": 200,
  "content-type": "application/grpc+proto",
};

/** What a call needs of its server. */
export interface CallOptions {
  readonly limits: RpcServerLimits;
  /** Called once, when the status is decided. */
  readonly onEnd?: ((end: Omit<RequestEnd, "httpStatus">) => void) | undefined;
}

/** What a call waits for the peer to do, and a number that changes with every step the peer takes. */
export interface PeerWait {
  readonly step: number;
}

/**
 * One gRPC call on one HTTP/2 stream: reads requests, runs the handler, writes responses and the status.
 *
 * The call ends once: with what the handler returns or throws, at its deadline, when the client is gone or
 * when the server cuts it. Then the handler's signal fires, whoever reads its requests gets the
 * error, and a generator is told to `return()`, so that its `finally` runs.
 *
 * A method that streams responses always sends headers before its status, also when it fails at once: there
 * are clients that take "not found" for a broken call when it comes without headers.
 */
export class ServerCall {
  readonly #stream: ServerHttp2Stream;
  readonly #outbox: Outbox;
  readonly #headers: IncomingHttpHeaders;
  readonly #entry: MethodEntry;
  readonly #options: CallOptions;
  readonly #startedAt: number = performance.now();
  #context: CallContext | undefined;
  #inbox: Inbox | undefined;
  #timer: NodeJS.Timeout | undefined;
  #trailers: OutgoingHttpHeaders = OK_TRAILERS;
  #ended = false;
  #wasReset = false;
  #bytesOut = 0;
  #messagesOut = 0;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    entry: MethodEntry,
    options: CallOptions,
  ) {
    this.#stream = stream;
    this.#outbox = new Outbox(stream);
    this.#headers = headers;
    this.#entry = entry;
    this.#options = options;
  }

  /** Runs the call. Never throws: everything that goes wrong becomes a status. */
  start(): void {
    const stream = this.#stream;
    const { "grpc-timeout": timeout, "grpc-encoding": encoding } = this.#headers;
    try {
      const timeoutMs = typeof timeout === "string" ? parseTimeout(timeout) : undefined;
      const decompress = decompressorFor(typeof encoding === "string" ? encoding : undefined);
      const context = new CallContext(this.#entry.spec.method, this.#headers, timeoutMs);
      const inbox = new Inbox(stream, {
        schema: this.#entry.spec.method.input,
        maxBytes: this.#options.limits.maxReceiveBytes,
        maxFields: this.#options.limits.maxReceiveFields,
        // Handlers hand what comes in over to threads.
        shared: true,
        decompress,
      });
      this.#context = context;
      this.#inbox = inbox;
      if (timeoutMs !== undefined) {
        this.#timer = startTimer(() => this.#onDeadline(), timeoutMs);
      }
      stream.on("data", (chunk: Buffer) => inbox.push(chunk));
      stream.on("end", () => {
        // Node ends the stream also when the client resets it: half an upload must not pass for a whole one.
        if (!stream.aborted) {
          inbox.end();
        }
      });
      stream.on("close", () => this.#onClose());
      void this.#run(inbox, context);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What the peer must do next for the call to go on; `undefined` while it is the server's turn. */
  get peerWait(): PeerWait | undefined {
    if (this.#ended || this.#outbox.waiting) {
      return { step: this.#messagesOut };
    }
    const inbox = this.#inbox;
    const isOurTurn =
      inbox === undefined ||
      !inbox.waiting ||
      (this.#entry.spec.kind === "bidi_streaming" && !inbox.partial);
    return isOurTurn ? undefined : { step: -1 - inbox.count };
  }

  /** Whether the peer was sent, or is to be sent, a reset instead of the status. */
  get wasReset(): boolean {
    return this.#wasReset;
  }

  /** Ends the call from outside. A peer that does not read gets a reset instead of the status. */
  cut(error: ConnectError): void {
    if (this.#ended || this.#stream.writableLength > 0) {
      this.#end(error);
      this.#wasReset = true;
      cancelStream(this.#stream);
    } else {
      this.#fail(error);
    }
  }

  async #run(inbox: Inbox, context: CallContext): Promise<void> {
    try {
      const answer = await invoke(this.#entry, inbox, context);
      if (answer.stream) {
        await this.#sendAll(answer.messages);
      } else {
        this.#sendOne(answer.message);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #sendOne(message: unknown): void {
    if (this.#ended) {
      return;
    }
    const parts = this.#encode(message);
    this.#sendHeaders();
    this.#trailers = addMetadata({ ...OK_TRAILERS }, this.#context?.trailerIfUsed);
    this.#end(undefined);
    this.#outbox.end(parts);
  }

  async #sendAll(messages: AsyncIterator<unknown>): Promise<void> {
    try {
      while (!this.#ended) {
        const result = await messages.next();
        if (result.done) {
          this.#sendEnd();
          return;
        }
        if (!this.#ended) {
          this.#write(this.#encode(result.value));
        }
        if (!this.#ended && !this.#outbox.hasRoom) {
          await this.#outbox.drained();
        }
      }
    } catch (error) {
      this.#fail(error);
    }
    // Also when the client is gone or the deadline has passed: the generator frees what it holds. What it
    // throws now reaches nobody.
    await messages.return?.().then(undefined, () => {});
  }

  #sendEnd(): void {
    if (this.#ended) {
      return;
    }
    this.#sendHeaders();
    this.#trailers = addMetadata({ ...OK_TRAILERS }, this.#context?.trailerIfUsed);
    this.#end(undefined);
    this.#stream.end();
  }

  #encode(message: unknown): EncodedMessage {
    const { output } = this.#entry.spec.method;
    const parts = encodeMessage(output, message, this.#options.limits.maxSendBytes);
    for (const part of parts) {
      this.#bytesOut += part.byteLength;
    }
    this.#messagesOut++;
    return parts;
  }

  #write(parts: EncodedMessage): void {
    this.#sendHeaders();
    this.#outbox.write(parts);
  }

  #sendHeaders(): void {
    const stream = this.#stream;
    if (stream.headersSent || stream.destroyed || stream.closed) {
      return;
    }
    const metadata = this.#context?.headerIfUsed;
    const headers = metadata ? addMetadata({ ...RESPONSE_HEADERS }, metadata) : RESPONSE_HEADERS;
    stream.respond(headers, { waitForTrailers: true });
    stream.on("wantTrailers", () => this.#sendTrailers());
  }

  #sendTrailers(): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) {
      return;
    }
    stream.sendTrailers(this.#trailers);
    this.#stopRequest();
  }

  /** A peer that still sends is told to stop, after it has been sent everything. */
  #stopRequest(): void {
    const stream = this.#stream;
    if (stream.readableEnded) {
      return;
    }
    setImmediate(() => {
      if (!stream.readableEnded && !stream.closed && !stream.destroyed) {
        stream.close(constants.NGHTTP2_NO_ERROR);
      }
    });
  }

  #fail(reason: unknown): void {
    if (this.#ended) {
      return;
    }
    const error = toStatus(reason);
    const stream = this.#stream;
    this.#end(error, reason);
    if (stream.destroyed || stream.closed) {
      return;
    }
    const { kind } = this.#entry.spec;
    const streams = kind === "server_streaming" || kind === "bidi_streaming";
    if (stream.headersSent || (streams && this.#context !== undefined)) {
      this.#sendHeaders();
      this.#trailers = errorTrailers(error);
      stream.end();
    } else {
      respondStatus(stream, error, this.#context?.headerIfUsed);
      this.#stopRequest();
    }
  }

  /** The status is decided: stops the timer, the handler and its reading. */
  #end(error: ConnectError | undefined, cause: unknown = error): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#context?.abort(error);
    if (error === undefined) {
      void this.#inbox?.return();
    } else {
      this.#inbox?.fail(error);
    }
    this.#outbox.wake();
    this.#options.onEnd?.({
      code: error?.code ?? 0,
      durationMs: performance.now() - this.#startedAt,
      bytesIn: this.#inbox?.bytes ?? 0,
      bytesOut: this.#bytesOut,
      error: cause,
    });
  }

  #onDeadline(): void {
    this.cut(new ConnectError("the deadline has passed", Code.DeadlineExceeded));
  }

  #onClose(): void {
    if (this.#ended) {
      // To make an error, with its stack, costs more than the rest of a small call.
      return;
    }
    this.#end(new ConnectError("the client has gone", Code.Canceled));
  }
}

/** Answers a call with nothing but a status. */
export function respondStatus(
  stream: ServerHttp2Stream,
  error: ConnectError,
  metadata?: Headers | undefined,
): void {
  const headers = addMetadata({ ...RESPONSE_HEADERS }, metadata);
  stream.respond({ ...headers, ...errorTrailers(error) }, { endStream: true });
}

/** What the peer may know of a failure: statuses as they are, of anything else only that it happened. */
export function toStatus(reason: unknown): ConnectError {
  return reason instanceof ConnectError
    ? reason
    : new ConnectError("internal error", Code.Internal, undefined, undefined, reason);
}
