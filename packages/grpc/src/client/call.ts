import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { cancelStream } from "../wire/cancel-stream.js";
import { type Decompress, decompressorFor } from "../wire/compression.js";
import { type EncodedMessage, encodeMessage } from "../wire/frame.js";
import { Inbox } from "../wire/inbox.js";
import { toHeaders } from "../wire/metadata.js";
import { Outbox } from "../wire/outbox.js";
import { readStatus } from "../wire/status.js";
import { startTimer } from "../wire/timeout.js";
import { CLIENT_STREAM_WINDOW } from "../wire/windows.js";
import type { ResolvedChannelOptions } from "./options.js";
import type { Session } from "./session.js";

/** How one call may end early. */
export interface ClientCallOptions {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly limits: Pick<ResolvedChannelOptions, "maxReceiveBytes" | "maxSendBytes">;
}

/** One byte of the header of a message. */
const TORN = Uint8Array.of(0);

/** Status of a call whose response is not gRPC. Source: "HTTP to gRPC status code mapping" of the gRPC authors. */
const HTTP_CODES: Readonly<Record<number, Code>> = {
  400: Code.Internal,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.Unimplemented,
  429: Code.Unavailable,
  502: Code.Unavailable,
  503: Code.Unavailable,
  504: Code.Unavailable,
};

/** Status of a call whose stream was reset. Source: "HTTP2 transport mapping" of the gRPC authors. */
const RESET_CODES: Readonly<Record<number, Code>> = {
  [constants.NGHTTP2_REFUSED_STREAM]: Code.Unavailable,
  [constants.NGHTTP2_CANCEL]: Code.Canceled,
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: Code.ResourceExhausted,
  [constants.NGHTTP2_INADEQUATE_SECURITY]: Code.PermissionDenied,
};

/** One call on one HTTP/2 stream. It ends once: with a status, an error, or because the caller gives up. */
export class ClientCall {
  readonly inbox: Inbox;
  readonly #session: Session;
  readonly #stream: ClientHttp2Stream;
  readonly #outbox: Outbox;
  readonly #method: DescMethod;
  readonly #options: ClientCallOptions;
  readonly #timer: NodeJS.Timeout | undefined;
  #head: IncomingHttpHeaders | undefined;
  #trailers: IncomingHttpHeaders | undefined;
  #trailerHeaders: Headers | undefined;
  #decompress: Decompress | undefined;
  #ended = false;
  #error: ConnectError | undefined;
  #onHead: (() => void) | undefined;

  constructor(
    session: Session,
    method: DescMethod,
    headers: OutgoingHttpHeaders,
    options: ClientCallOptions,
  ) {
    this.#session = session;
    this.#method = method;
    this.#options = options;
    const stream = session.http2.request(headers);
    this.#stream = stream;
    this.#outbox = new Outbox(stream);
    const inbox = new Inbox(stream, {
      schema: method.output,
      maxBytes: options.limits.maxReceiveBytes,
      highWaterBytes: CLIENT_STREAM_WINDOW / 2,
      decompress: (bytes, maxBytes) => this.#decode(bytes, maxBytes),
      onReturn: () => this.cancel(new ConnectError("the call was canceled", Code.Canceled)),
    });
    this.inbox = inbox;
    session.calls++;
    stream.on("response", (head) => this.#onResponse(head));
    stream.on("trailers", (trailers) => {
      this.#trailers = trailers;
    });
    stream.on("data", (chunk: Buffer) => this.#onData(chunk));
    stream.on("end", () => this.#onEnd());
    stream.on("error", () => {});
    stream.on("close", () => {
      session.calls--;
      this.#onClose();
    });
    options.signal?.addEventListener("abort", this.#onAbort);
    if (options.timeoutMs !== undefined) {
      this.#timer = startTimer(() => this.#onDeadline(), options.timeoutMs);
    }
    if (options.signal?.aborted === true) {
      this.#onAbort();
    }
  }

  /** Whether the server certainly has not begun with the call, so that it may be made again. */
  get isUnprocessed(): boolean {
    return this.#head === undefined && this.#stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
  }

  get header(): Headers {
    return toHeaders(this.#head);
  }

  /** The trailers. The same object before and after they come. */
  get trailer(): Headers {
    this.#trailerHeaders ??= toHeaders(this.#trailers);
    return this.#trailerHeaders;
  }

  /** Resolves when the headers of the response are there. Rejects when the call ends without them. */
  async head(): Promise<void> {
    if (this.#head === undefined && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#onHead = resolve;
      });
    }
    if (this.#error !== undefined) {
      throw this.#error;
    }
  }

  /** Sends the only message. */
  sendOnly(message: unknown): void {
    this.#outbox.end(this.#encode(message));
  }

  /** Sends what `messages` yields, as fast as the server takes it; closes it when the call ends first. */
  async sendAll(messages: AsyncIterable<unknown>): Promise<void> {
    const source = messages[Symbol.asyncIterator]();
    try {
      while (!this.#ended) {
        const result = await source.next();
        if (result.done) {
          this.#stream.end();
          return;
        }
        if (!this.#ended) {
          this.#outbox.write(this.#encode(result.value));
        }
        if (!this.#ended && !this.#outbox.hasRoom) {
          await this.#outbox.drained();
        }
      }
    } catch (error) {
      this.cancel(ConnectError.from(error, Code.Unknown));
    }
    await source.return?.().then(undefined, () => {});
  }

  /** Gives the call up, with the error that the caller gets. */
  cancel(error: ConnectError): void {
    if (this.#ended) {
      return;
    }
    this.#end(error);
    this.inbox.fail(error);
    if (!this.#stream.writableEnded && !this.#stream.closed) {
      // Node ends the request before it resets the stream, and a server would take half an upload for a
      // whole one. The first byte of a message that never comes makes it a torn one.
      this.#stream.write(TORN);
    }
    cancelStream(this.#stream);
  }

  #encode(message: unknown): EncodedMessage {
    return encodeMessage(this.#method.input, message, this.#options.limits.maxSendBytes);
  }

  #decode(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
    const encoding = this.#head?.["grpc-encoding"];
    this.#decompress ??= decompressorFor(typeof encoding === "string" ? encoding : undefined);
    if (this.#decompress === undefined) {
      throw new ConnectError("Cannot decompress: the server does not say how", Code.Internal);
    }
    return this.#decompress(bytes, maxBytes);
  }

  #onResponse(head: IncomingHttpHeaders): void {
    this.#head = head;
    const status = Number(head[":status"]);
    const type = head["content-type"] ?? "";
    if (status !== 200) {
      const code = HTTP_CODES[status] ?? Code.Unknown;
      this.cancel(new ConnectError(`the server answers with HTTP status ${status}`, code));
    } else if (!/^application\/grpc(\+proto)?(;|$)/.test(type)) {
      const got = JSON.stringify(type);
      this.cancel(new ConnectError(`the response is not gRPC but ${got}`, Code.Unknown));
    } else if (head["grpc-status"] === undefined) {
      this.#onHead?.();
    }
  }

  #onData(chunk: Buffer): void {
    this.inbox.push(chunk);
    const { failure } = this.inbox;
    if (failure !== undefined) {
      this.cancel(ConnectError.from(failure));
    }
  }

  /** All data is there. The status came in the trailers, or in the headers of a response without a body. */
  #onEnd(): void {
    const status = this.#trailers ?? this.#head;
    if (this.#ended || status === undefined || status["grpc-status"] === undefined) {
      // Without a status: what the end of the stream tells decides, see #onClose.
      return;
    }
    const result = readStatus(status);
    const error = result === "missing" ? undefined : result;
    this.#end(error);
    this.inbox.end(error);
  }

  /** The stream is gone. Only calls without a status come to this. */
  #onClose(): void {
    if (this.#ended) {
      return;
    }
    const error = this.#closeError();
    this.#end(error);
    this.inbox.end(error);
  }

  #closeError(): ConnectError {
    if (this.#session.isLost) {
      const cause = this.#session.lostReason;
      const why = cause instanceof Error ? `: ${cause.message}` : "";
      const message = `the connection to the server was lost${why}`;
      return new ConnectError(message, Code.Unavailable, undefined, undefined, cause);
    }
    const { rstCode } = this.#stream;
    return rstCode === constants.NGHTTP2_NO_ERROR
      ? new ConnectError("the server ended the call without a status", Code.Internal)
      : new ConnectError(
          `the server reset the call (code ${rstCode})`,
          RESET_CODES[rstCode ?? 0] ?? Code.Internal,
        );
  }

  #end(error: ConnectError | undefined): void {
    this.#ended = true;
    this.#error = error;
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    if (this.#trailerHeaders !== undefined) {
      const trailers = this.#trailerHeaders;
      toHeaders(this.#trailers).forEach((value, name) => {
        trailers.set(name, value);
      });
    }
    this.#outbox.wake();
    this.#onHead?.();
  }

  readonly #onAbort = (): void => {
    this.cancel(abortError(this.#options.signal));
  };

  #onDeadline(): void {
    this.cancel(new ConnectError("the deadline has passed", Code.DeadlineExceeded));
  }
}

/** The error of a call whose signal fired. The reason of the signal is its cause. */
export function abortError(signal: AbortSignal | undefined): ConnectError {
  const reason: unknown = signal?.reason;
  return reason instanceof ConnectError
    ? reason
    : new ConnectError("the call was canceled", Code.Canceled, undefined, undefined, reason);
}
