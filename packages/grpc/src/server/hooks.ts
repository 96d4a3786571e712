/** What the application hears of connections and calls, and where it decides who may call. */

import type { IncomingHttpHeaders } from "node:http";
import type { PeerCertificate } from "node:tls";
import type { Code } from "@connectrpc/connect";

/** Who is at the other end of a connection. */
export interface Peer {
  readonly transport: "tcp" | "unix";
  /** `HOST:PORT`, or "" for unix sockets. */
  readonly address: string;
  readonly encrypted: boolean;
  /** The verified certificate of the client; only where client certificates are asked for. */
  readonly certificate: PeerCertificate | undefined;
}

/** How a request came in. */
export type Surface = "grpc" | "connect" | "grpc-web" | "http";

/** The head of a request, before anything of it is done. */
export interface RequestHead {
  readonly surface: Surface;
  readonly method: string;
  /** Path without the query. For calls: `/package.Service/Method`. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly peer: Peer;
}

/**
 * Decides whether a request may go on: throws a `ConnectError` (Unauthenticated, PermissionDenied, ...) when
 * not. Asked for every request of every surface, before any of its body is read.
 */
export type Authorize = (request: RequestHead) => void | Promise<void>;

/** How a request ended. */
export interface RequestEnd {
  /** Status of a call, 0 for success; `undefined` for plain HTTP requests. */
  readonly code: Code | 0 | undefined;
  /** Status of the HTTP response; 0 when there was none. */
  readonly httpStatus: number;
  readonly durationMs: number;
  /** Bytes of messages; `undefined` where they are not counted (all surfaces but gRPC). */
  readonly bytesIn: number | undefined;
  readonly bytesOut: number | undefined;
  /** What the handler threw, as it was thrown: the peer is told less. */
  readonly error: unknown;
}

/** Why a connection ended; "closed" by the peer. */
export type ConnectionEnd =
  | "closed"
  | "header-timeout"
  | "idle"
  | "flood"
  | "dead-peer"
  | "shutdown";

/** For logs and metrics. Called synchronously; what these throw is not caught. */
export interface RpcObserver {
  /** A connection was accepted. Returns what is called when it is gone. */
  onConnection?(peer: Peer): ((reason: ConnectionEnd) => void) | undefined;
  /** A connection was refused because there are too many. */
  onRefusedConnection?(): void;
  /** A request begins. Returns what is called when it has ended. */
  onRequest?(request: RequestHead): ((end: RequestEnd) => void) | undefined;
}
