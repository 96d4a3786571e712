import { createServer as createHttp1Server, type Server as Http1Server } from "node:http";
import {
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Session,
} from "node:http2";
import type { Socket } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { MAX_SESSION_MEMORY_MB, SERVER_STREAM_WINDOW } from "../wire/windows.js";
import { Connection } from "./connection.js";
import { CORS_HEADER_LINE } from "./cors.js";
import { GrpcSurface, isGrpc } from "./grpc-surface.js";
import type { Authorize, Peer, RequestHead } from "./hooks.js";
import {
  createHttpSurface,
  type HttpRequest,
  type HttpResponse,
  type HttpSurface,
} from "./http-surface.js";
import { type RpcServerLimits, resolveLimits } from "./limits.js";
import type { BoundAddress, ListenAddress, ServerTls } from "./listener.js";
import { Listeners } from "./listeners.js";
import { collectMethods } from "./method-table.js";
import type { HttpVersion } from "./mux.js";
import type { AnswerAtOnce, RpcServer, RpcServerOptions } from "./rpc-server.js";
import { type SimpleRequest, type SimpleResponse, serveSimpleRequests } from "./simple-requests.js";

/** How long peers may take to receive the last statuses, once the grace time is over. */
const FLUSH_MS = 500;

/** Longest and shortest time between two looks at all connections. */
const MAX_SWEEP_MS = 1000;
const MIN_SWEEP_MS = 10;

/**
 * Makes a server. It does nothing until {@link RpcServer.listen} is called.
 *
 * The first bytes of a connection tell HTTP/2 from HTTP/1.1 (ALPN does with TLS). gRPC calls in binary
 * go through our own framing, everything else through connect-node; both call the same implementations.
 */
export function createRpcServer(options: RpcServerOptions): RpcServer {
  return new NodeRpcServer(options);
}

class NodeRpcServer implements RpcServer {
  readonly #options: RpcServerOptions;
  readonly #limits: RpcServerLimits;
  readonly #shutdown = new AbortController();
  readonly #http: HttpSurface;
  readonly #grpc: GrpcSurface;
  readonly #http1: Http1Server;
  readonly #http2: Http2Server;
  /** Turns streams into requests for the surfaces that want those. Does not listen. */
  readonly #compat: Http2Server;
  readonly #listeners: Listeners;
  /** All sockets, those in a TLS handshake too. */
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<Connection>();
  readonly #bySocket = new WeakMap<object, Connection>();
  #sweep: NodeJS.Timeout | undefined;
  #closing = false;
  #whenEmpty: (() => void)[] = [];

  constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#limits = resolveLimits(options.limits);
    const interceptors = options.interceptors ?? [];
    const { authorize, cors, fallback, observer } = options;
    const table = collectMethods(options.routes, interceptors);
    const common = { table, limits: this.#limits, authorize, observer };
    const shutdownSignal = this.#shutdown.signal;
    this.#http = createHttpSurface({ ...common, interceptors, fallback, cors, shutdownSignal });
    this.#grpc = new GrpcSurface(common);
    this.#listeners = new Listeners(options.tls, {
      limits: this.#limits,
      admit: (socket) => this.#admit(socket),
      accept: (socket, peer) => this.#accept(socket, peer),
    });
    this.#http1 = this.#createHttp1();
    this.#http2 = this.#createHttp2();
    this.#compat = createHttp2Server((request, response) => {
      this.#onRequest(request, response, request.stream.session);
    });
  }

  get addresses(): readonly BoundAddress[] {
    return this.#listeners.addresses;
  }

  get connectionCount(): number {
    return this.#sockets.size;
  }

  get callCount(): number {
    return this.#grpc.callCount;
  }

  async listen(at: ListenAddress): Promise<BoundAddress> {
    if (this.#closing) {
      throw new Error("Cannot listen: the server is closing");
    }
    const address = await this.#listeners.open(at);
    this.#startSweep();
    return address;
  }

  replaceTls(tls: ServerTls): void {
    this.#listeners.replaceTls(tls);
  }

  async drain(graceMs: number): Promise<void> {
    this.#stopAccepting();
    for (const connection of this.#connections) {
      connection.goAway("shutdown");
    }
    if (!(await this.#emptyWithin(graceMs))) {
      this.#cutCalls();
      await this.#emptyWithin(FLUSH_MS);
    }
    await this.close();
  }

  async close(): Promise<void> {
    this.#stopAccepting();
    this.#shutdown.abort(new ConnectError("the server is shutting down", Code.Unavailable));
    for (const connection of this.#connections) {
      connection.destroy("shutdown");
    }
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await this.#emptyWithin(Number.POSITIVE_INFINITY);
    clearInterval(this.#sweep);
    this.#http1.close();
  }

  #createHttp1(): Http1Server {
    const server = createHttp1Server({
      headersTimeout: this.#limits.headerTimeoutMs,
      // Bodies may take long; a body that stops coming is cut by the stall timeout.
      requestTimeout: 0,
      keepAliveTimeout: this.#limits.idleTimeoutMs,
      maxHeaderSize: this.#limits.maxHeaderBytes,
      connectionsCheckingInterval: this.#sweepMs(),
    });
    server.on("request", (request, response) => {
      if (this.#closing) {
        response.shouldKeepAlive = false;
      }
      this.#onRequest(request, response, request.socket);
    });
    server.setTimeout(this.#limits.stallTimeoutMs, (socket) => {
      if (this.#bySocket.get(socket)?.waitsForClient ?? true) {
        socket.destroy();
      } else {
        socket.setTimeout(this.#limits.stallTimeoutMs);
      }
    });
    // Node starts its watch over header timeouts when a server listens; this one is given its connections.
    server.emit("listening");
    return server;
  }

  #createHttp2(): Http2Server {
    const server = createHttp2Server({
      maxSessionMemory: MAX_SESSION_MEMORY_MB,
      settings: {
        initialWindowSize: SERVER_STREAM_WINDOW,
        maxConcurrentStreams: this.#limits.maxStreamsPerConnection,
        maxHeaderListSize: this.#limits.maxHeaderBytes,
        enablePush: false,
      },
    });
    server.on("sessionError", () => {});
    return server;
  }

  #admit(socket: Socket): boolean {
    if (this.#closing || this.#sockets.size >= this.#limits.maxConnections) {
      this.#options.observer?.onRefusedConnection?.();
      return false;
    }
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#checkEmpty();
    });
    return true;
  }

  #accept(socket: Socket, peer: Peer): (version: HttpVersion) => void {
    const onEnd = this.#options.observer?.onConnection?.(peer);
    const connection = new Connection(socket, peer, this.#limits, (reason) => {
      this.#connections.delete(connection);
      onEnd?.(reason);
      this.#checkEmpty();
    });
    this.#connections.add(connection);
    return (version) => {
      if (version === "h1") {
        this.#acceptHttp1(socket, connection);
      } else {
        this.#http2.once("session", (session) => this.#onSession(session, connection));
        this.#http2.emit("connection", socket);
      }
      if (this.#closing) {
        connection.goAway("shutdown");
      }
    };
  }

  #acceptHttp1(socket: Socket, connection: Connection): void {
    const { answerAtOnce, cors } = this.#options;
    const leave = (): void => {
      connection.setHttp1();
      this.#bySocket.set(socket, connection);
      this.#http1.emit("connection", socket);
    };
    if (answerAtOnce === undefined) {
      leave();
      return;
    }
    connection.setSimple();
    serveSimpleRequests(socket, {
      answer: (request) => this.#answer(request, connection, answerAtOnce),
      leave,
      headers: cors === undefined ? "" : CORS_HEADER_LINE,
      idleTimeoutMs: this.#limits.idleTimeoutMs,
    });
  }

  #answer(
    { path, headers }: SimpleRequest,
    connection: Connection,
    answerAtOnce: AnswerAtOnce,
  ): SimpleResponse | undefined {
    const { authorize, observer } = this.#options;
    const { peer } = connection;
    const startedAt = performance.now();
    const head: RequestHead = { surface: "http", method: "GET", path, headers, peer };
    if (this.#closing || !isAllowedAtOnce(authorize, head)) return undefined;
    const response = answerAtOnce(head);
    if (response === undefined) return undefined;
    connection.noteUse();
    observer?.onRequest?.(head)?.({
      code: undefined,
      httpStatus: response.status,
      durationMs: performance.now() - startedAt,
      bytesIn: undefined,
      bytesOut: undefined,
      error: undefined,
    });
    return response;
  }

  #onSession(session: ServerHttp2Session, connection: Connection): void {
    this.#bySocket.set(session, connection);
    connection.setSession(session);
    session.on("stream", (stream, headers, flags, rawHeaders?: unknown) => {
      connection.watchStream(stream);
      if (isGrpc(headers)) {
        this.#grpc.accept(stream, headers, connection);
      } else {
        this.#compat.emit("stream", stream, headers, flags, rawHeaders);
      }
    });
  }

  #onRequest(request: HttpRequest, response: HttpResponse, on: object | undefined): void {
    const connection = on && this.#bySocket.get(on);
    if (connection === undefined) {
      // The session is gone already.
      response.destroy();
      return;
    }
    connection.addExchange({ request, response });
    if ("stream" in response) {
      cutWhenStalled(request, response, this.#limits.stallTimeoutMs, () => connection.onCut());
    }
    this.#http(request, response, connection.peer);
  }

  #stopAccepting(): void {
    this.#closing = true;
    this.#listeners.close();
  }

  #cutCalls(): void {
    const error = new ConnectError("the server is shutting down", Code.Unavailable);
    this.#shutdown.abort(error);
    for (const connection of this.#connections) {
      for (const call of [...connection.calls]) {
        call.cut(error);
      }
    }
  }

  #startSweep(): void {
    this.#sweep ??= setInterval(() => {
      const now = performance.now();
      for (const connection of this.#connections) {
        connection.check(now);
      }
    }, this.#sweepMs()).unref();
  }

  /** Often enough to keep the shortest timeout within a quarter. */
  #sweepMs(): number {
    const { headerTimeoutMs, idleTimeoutMs, stallTimeoutMs } = this.#limits;
    const { keepaliveIntervalMs, keepaliveTimeoutMs } = this.#limits;
    const shortest = Math.min(
      headerTimeoutMs,
      idleTimeoutMs,
      stallTimeoutMs,
      keepaliveIntervalMs,
      keepaliveTimeoutMs,
    );
    return Math.max(MIN_SWEEP_MS, Math.min(MAX_SWEEP_MS, Math.ceil(shortest / 4)));
  }

  /** Resolves with true when no connection is left, with false when there is one after `ms`. */
  #emptyWithin(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = Number.isFinite(ms) ? setTimeout(() => resolve(false), ms) : undefined;
      this.#whenEmpty.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
      this.#checkEmpty();
    });
  }

  #checkEmpty(): void {
    if (this.#sockets.size === 0 && this.#connections.size === 0) {
      for (const resolve of this.#whenEmpty.splice(0)) {
        resolve();
      }
    }
  }
}

/** Whether a request may go on, said without waiting. Where it may not, the general way says why. */
function isAllowedAtOnce(authorize: Authorize | undefined, head: RequestHead): boolean {
  try {
    const pending = authorize?.(head);
    pending?.catch(() => {});
    return pending === undefined;
  } catch {
    return false;
  }
}

/** Ends a request over HTTP/2 whose client neither sends what is missing nor takes what is there. */
function cutWhenStalled(
  request: HttpRequest,
  response: HttpResponse,
  ms: number,
  onCut: () => void,
): void {
  response.setTimeout(ms, () => {
    const isWaiting = !request.complete || response.writableLength > 0;
    if (isWaiting) {
      onCut();
      response.destroy();
    } else {
      cutWhenStalled(request, response, ms, onCut);
    }
  });
}
