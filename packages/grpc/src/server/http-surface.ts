/** Everything but gRPC in its own framing: Connect, gRPC-Web and plain HTTP, over HTTP/1.1 and HTTP/2. */

import { setMaxListeners } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import {
  Code,
  ConnectError,
  type ContextKey,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type Interceptor,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { toStatus } from "./call.js";
import { type CorsOptions, createCorsGate } from "./cors.js";
import type { Authorize, Peer, RequestHead, RpcObserver, Surface } from "./hooks.js";
import type { RpcServerLimits } from "./limits.js";
import type { MethodTable } from "./method-table.js";
import { requestBody, restOfRequest } from "./request-body.js";

/** A request over HTTP/1.1 or HTTP/2. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;

/** The response to it. */
export type HttpResponse = ServerResponse | Http2ServerResponse;

/** Serves the paths that are not calls. */
export type HttpFallback = (request: HttpRequest, response: HttpResponse) => void;

/** Options of {@link createHttpSurface}. */
export interface HttpSurfaceOptions {
  readonly table: MethodTable;
  readonly interceptors: readonly Interceptor[];
  readonly limits: RpcServerLimits;
  readonly shutdownSignal: AbortSignal;
  readonly authorize?: Authorize | undefined;
  readonly fallback?: HttpFallback | undefined;
  readonly observer?: RpcObserver | undefined;
  readonly cors?: CorsOptions | undefined;
}

/** How a call went, as far as the interceptor sees it; and why it must not begin. */
interface Outcome {
  refused: ConnectError | undefined;
  code: Code | 0;
  error: unknown;
}

const OUTCOME: ContextKey<Outcome | undefined> = createContextKey<Outcome | undefined>(undefined);

/** Never reached: responses are not compressed. Our bytes are compressed already, or cheaper to send than to compress. */
const NEVER = 0xffff_ffff;

/** HTTP status for a refused request that is not a call. */
const HTTP_STATUS: Partial<Readonly<Record<Code, number>>> = {
  [Code.InvalidArgument]: 400,
  [Code.Unauthenticated]: 401,
  [Code.PermissionDenied]: 403,
  [Code.NotFound]: 404,
  [Code.ResourceExhausted]: 429,
  [Code.Unavailable]: 503,
};

/** Handles one request of a peer; never throws. */
export type HttpSurface = (request: HttpRequest, response: HttpResponse, peer: Peer) => void;

export function createHttpSurface(options: HttpSurfaceOptions): HttpSurface {
  const handlers = connectHandlers(options);
  const answersPreflight = options.cors && createCorsGate(options.cors);
  return (request, response, peer) => {
    request.url = originForm(request.url ?? "");
    if (answersPreflight?.(request, response)) {
      return;
    }
    const head = requestHead(request, peer, handlers);
    const outcome: Outcome = { refused: undefined, code: 0, error: undefined };
    observe(options.observer, head, response, outcome);
    const serve = (): void => {
      const handler = handlers.get(head.path);
      if (handler !== undefined) {
        void call(handler, request, response, outcome);
      } else if (outcome.refused !== undefined) {
        void refuse(request, response, outcome.refused);
      } else {
        serveFallback(options.fallback, request, response, outcome);
      }
    };
    authorizeThen(options.authorize, head, outcome, serve);
  };
}

function connectHandlers(options: HttpSurfaceOptions): ReadonlyMap<string, UniversalHandler> {
  const { limits, shutdownSignal } = options;
  // Each call listens to it until it ends, and Node would warn of the eleventh.
  setMaxListeners(0, shutdownSignal);
  const router = createConnectRouter({
    interceptors: [gate, ...options.interceptors],
    acceptCompression: [compressionGzip],
    compressMinBytes: NEVER,
    readMaxBytes: limits.maxReceiveBytes,
    writeMaxBytes: limits.maxSendBytes,
    shutdownSignal,
  });
  options.table.routes(router);
  return new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
}

/** Refuses calls that are not authorized, in the protocol they came in, and notes how the others go. */
const gate: Interceptor = (next) => async (request) => {
  const outcome = request.contextValues.get(OUTCOME);
  if (outcome === undefined) {
    return next(request);
  }
  try {
    if (outcome.refused !== undefined) {
      throw outcome.refused;
    }
    const response = await next(request);
    return response.stream ? { ...response, message: noting(response.message, outcome) } : response;
  } catch (error) {
    note(outcome, error);
    throw error;
  }
};

function note(outcome: Outcome, error: unknown): void {
  outcome.code = toStatus(error).code;
  outcome.error = error;
}

function noting<T>(messages: AsyncIterable<T>, outcome: Outcome): AsyncIterable<T> {
  const source = messages[Symbol.asyncIterator]();
  const iterator: AsyncIterableIterator<T> = {
    async next() {
      try {
        return await source.next();
      } catch (error) {
        note(outcome, error);
        throw error;
      }
    },
    async return(value) {
      await source.return?.(value);
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

async function call(
  handler: UniversalHandler,
  request: HttpRequest,
  response: HttpResponse,
  outcome: Outcome,
): Promise<void> {
  try {
    const values = createContextValues().set(OUTCOME, outcome);
    const incoming = universalRequestFromNodeRequest(request, response, undefined, values);
    const answer = await handler({ ...incoming, body: requestBody(request, response) });
    if (answer.status >= 400) await restOfRequest(request);
    const { body } = answer;
    await universalResponseToNodeResponse(
      body === undefined ? answer : { ...answer, body: returnOnClose(body, response) },
      response,
    );
  } catch (error) {
    // Most often the client is gone. Anything else was noted by the interceptor.
    outcome.error ??= error;
    if (response.headersSent) {
      response.destroy();
    } else {
      await refuse(request, response, toStatus(error));
    }
  }
}

/**
 * connect-node waits for "drain" and never wakes when the client goes away meanwhile; the generator of
 * the handler would stay suspended and hold what it has open.
 */
function returnOnClose(
  body: AsyncIterable<Uint8Array>,
  response: HttpResponse,
): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = body[Symbol.asyncIterator]();
      response.once("close", () => {
        iterator.return?.().then(undefined, () => {});
      });
      return iterator;
    },
  };
}

function authorizeThen(
  authorize: Authorize | undefined,
  head: RequestHead,
  outcome: Outcome,
  serve: () => void,
): void {
  const refuseWith = (error: unknown): void => {
    note(outcome, error);
    outcome.refused = toStatus(error);
    serve();
  };
  try {
    const pending = authorize?.(head);
    if (pending === undefined) {
      serve();
    } else {
      pending.then(serve, refuseWith);
    }
  } catch (error) {
    refuseWith(error);
  }
}

function serveFallback(
  fallback: HttpFallback | undefined,
  request: HttpRequest,
  response: HttpResponse,
  outcome: Outcome,
): void {
  if (fallback === undefined) {
    void refuse(
      request,
      response,
      new ConnectError("there is nothing at this path", Code.NotFound),
    );
    return;
  }
  try {
    fallback(request, response);
  } catch (error) {
    outcome.error = error;
    void refuse(request, response, toStatus(error));
  }
}

/** Answers with an error; never rejects. */
async function refuse(
  request: HttpRequest,
  response: HttpResponse,
  error: ConnectError,
): Promise<void> {
  await restOfRequest(request);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.statusCode = HTTP_STATUS[error.code] ?? 500;
  response.setHeader("content-type", "text/plain; charset=utf-8");
  if (error.code === Code.Unauthenticated) {
    // Browsers and libcurl send a password, which may be the token, only where they are asked for one.
    response.setHeader("www-authenticate", ["Bearer", 'Basic realm="tvix", charset="UTF-8"']);
  }
  response.end(`${error.rawMessage}\n`);
}

/** A whole URL in the request line, as clients of proxies send it and RFC 9112 §3.2.2 has it, without its origin. */
function originForm(url: string): string {
  const origin = /^https?:\/\/[^/?#]*/i.exec(url)?.[0] ?? "";
  const rest = url.slice(origin.length);
  return origin === "" || rest.startsWith("/") ? rest : `/${rest}`;
}

function requestHead(
  request: HttpRequest,
  peer: Peer,
  handlers: ReadonlyMap<string, UniversalHandler>,
): RequestHead {
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  return {
    surface: handlers.has(path) ? surfaceOf(request.headers["content-type"] ?? "") : "http",
    method: request.method ?? "",
    path,
    headers: request.headers,
    peer,
  };
}

function surfaceOf(contentType: string): Surface {
  if (contentType.startsWith("application/grpc-web")) {
    return "grpc-web";
  }
  return contentType.startsWith("application/grpc") ? "grpc" : "connect";
}

function observe(
  observer: RpcObserver | undefined,
  head: RequestHead,
  response: HttpResponse,
  outcome: Outcome,
): void {
  const onEnd = observer?.onRequest?.(head);
  if (onEnd === undefined) {
    return;
  }
  const startedAt = performance.now();
  response.once("close", () => {
    onEnd({
      code: head.surface === "http" ? undefined : codeOf(response, outcome),
      httpStatus: response.headersSent ? response.statusCode : 0,
      durationMs: performance.now() - startedAt,
      bytesIn: undefined,
      bytesOut: undefined,
      error: outcome.error,
    });
  });
}

/** Status of a call that was refused before any handler: a body that cannot be read, another method than POST. */
const REFUSED_CODES: Partial<Readonly<Record<number, Code>>> = {
  400: Code.InvalidArgument,
  404: Code.Unimplemented,
  405: Code.Unimplemented,
  415: Code.Unimplemented,
  429: Code.ResourceExhausted,
};

function codeOf(response: HttpResponse, { code }: Outcome): Code | 0 {
  if (code !== 0) {
    return code;
  }
  if (!response.headersSent || !response.writableFinished) {
    return Code.Canceled;
  }
  const { statusCode } = response;
  return statusCode < 400 ? 0 : (REFUSED_CODES[statusCode] ?? Code.Unknown);
}
