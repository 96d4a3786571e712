import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import type { CorsOptions } from "./cors.js";
import type { Authorize, RequestHead, RpcObserver } from "./hooks.js";
import type { HttpFallback } from "./http-surface.js";
import type { RpcServerLimits } from "./limits.js";
import type { BoundAddress, ListenAddress, ServerTls } from "./listener.js";
import type { SimpleResponse } from "./simple-requests.js";

/** Options of `createRpcServer()`. */
export interface RpcServerOptions {
  /** Registers the services; called once. */
  readonly routes: (router: ConnectRouter) => void;
  /** Run around every call of every protocol, in this order. A call without any is much cheaper. */
  readonly interceptors?: readonly Interceptor[] | undefined;
  readonly authorize?: Authorize | undefined;
  /** Serves what is not a call. Without it: 404. */
  readonly fallback?: HttpFallback | undefined;
  /**
   * Answers simple requests over HTTP/1.1 that are no calls before they get to {@link fallback}: exactly as that
   * would, but at once. Asked after `authorize` has let them pass.
   */
  readonly answerAtOnce?: AnswerAtOnce | undefined;
  /** For TCP and inherited sockets. */
  readonly tls?: ServerTls | undefined;
  readonly limits?: Partial<RpcServerLimits> | undefined;
  readonly observer?: RpcObserver | undefined;
  /** Pages of other origins that may call; none by default. */
  readonly cors?: CorsOptions | undefined;
}

/** The whole response to a GET without a body; `undefined` leaves the request to the fallback. */
export type AnswerAtOnce = (request: RequestHead) => SimpleResponse | undefined;

/** A server for gRPC, Connect, gRPC-Web and HTTP on the same addresses. */
export interface RpcServer {
  /** Where it listens. */
  readonly addresses: readonly BoundAddress[];
  /** Connections at this moment. */
  readonly connectionCount: number;
  /** gRPC calls at this moment. */
  readonly callCount: number;
  /**
   * Starts to listen; may be called several times, for several addresses.
   *
   * @throws the error of the system, such as EADDRINUSE
   */
  listen(at: ListenAddress): Promise<BoundAddress>;
  /**
   * Connections from now on get this certificate, and are asked for certificates of these authorities;
   * those that are there go on.
   *
   * @throws TypeError where there is no TLS, and where it would begin or cease to ask clients for certificates
   * @throws the error of the platform for what cannot be used: then nothing changes
   */
  replaceTls(tls: ServerTls): void;
  /**
   * Stops accepting, tells clients to go elsewhere (GOAWAY) and lets calls in flight end. What has not ended
   * after `graceMs` fails with Unavailable. Resolves when all connections are gone.
   */
  drain(graceMs: number): Promise<void>;
  /** Ends everything at once. Resolves when all connections are gone. */
  close(): Promise<void>;
}
