import type { IncomingHttpHeaders } from "node:http2";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { toHeaders } from "../wire/metadata.js";

/** Reason of the signal once a call has ended normally. Shared: making an error costs more than a small call. */
const ENDED = new ConnectError("the call has ended", Code.Canceled);

/**
 * The context of one call. Its parts are made when a handler first asks for them: most handlers ask for
 * none, and `Headers` and `AbortController` would cost more than the rest of a small call.
 */
export class CallContext implements HandlerContext {
  readonly method: DescMethod;
  readonly protocolName = "grpc";
  readonly requestMethod = "POST";
  /** Time at which the call must have ended, in ms of `performance.now()`. */
  readonly #deadline: number | undefined;
  readonly #incoming: IncomingHttpHeaders;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;
  #controller: AbortController | undefined;
  #abortReason: unknown;

  constructor(method: DescMethod, incoming: IncomingHttpHeaders, timeoutMs: number | undefined) {
    this.method = method;
    this.#incoming = incoming;
    this.#deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  }

  get service(): DescService {
    return this.method.parent;
  }

  get url(): string {
    const { ":scheme": scheme, ":authority": authority, ":path": path } = this.#incoming;
    return `${scheme ?? "http"}://${authority ?? "localhost"}${path ?? "/"}`;
  }

  readonly timeoutMs = (): number | undefined =>
    this.#deadline === undefined ? undefined : this.#deadline - performance.now();

  get requestHeader(): Headers {
    this.#requestHeader ??= toHeaders(this.#incoming);
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) {
        this.#controller.abort(this.#abortReason);
      }
    }
    return this.#controller.signal;
  }

  /** What a handler set, `undefined` when it did not ask for it. */
  get headerIfUsed(): Headers | undefined {
    return this.#responseHeader;
  }

  get trailerIfUsed(): Headers | undefined {
    return this.#responseTrailer;
  }

  /** Fires the signal. The first reason stays. */
  abort(reason: unknown = ENDED): void {
    if (this.#abortReason !== undefined) {
      return;
    }
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }
}

/** A context with what interceptors changed of the request. */
export function overrideContext(
  context: CallContext,
  request: { header: Headers; signal: AbortSignal; contextValues: ContextValues },
): HandlerContext {
  return {
    method: context.method,
    service: context.service,
    protocolName: context.protocolName,
    requestMethod: context.requestMethod,
    url: context.url,
    timeoutMs: context.timeoutMs,
    requestHeader: request.header,
    responseHeader: context.responseHeader,
    responseTrailer: context.responseTrailer,
    signal: request.signal,
    values: request.contextValues,
  };
}
