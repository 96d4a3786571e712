import { once } from "node:events";
import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from "node:tls";
import type { Peer } from "./hooks.js";
import type { RpcServerLimits } from "./limits.js";
import { detectVersion, type HttpVersion } from "./mux.js";

/**
 * Where to listen: a TCP port (0 for any free one), a unix socket, or a listening socket that was inherited
 * as a file descriptor. Unix sockets are never encrypted: their permissions protect them.
 */
export type ListenAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
  | { readonly fd: number };

/** Where a server does listen. */
export type BoundAddress =
  | { readonly transport: "tcp"; readonly host: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

/** PEM texts. With `clientCa`, clients must show a certificate signed by it. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string | undefined;
}

/** What a listener does with its connections. */
export interface ListenerOptions {
  readonly tls?: ServerTls | undefined;
  readonly limits: RpcServerLimits;
  /** A connection, before anything is read of it. Returns false when there is no room for it. */
  readonly admit: (socket: Socket) => boolean;
  /** A connection that can be read, after the TLS handshake. The result is called with what it speaks. */
  readonly accept: (socket: Socket, peer: Peer) => (version: HttpVersion) => void;
}

/** One address that is listened on. */
export interface Listener {
  readonly address: BoundAddress;
  /** Connections from now on get these; does nothing where there is no TLS. */
  replaceTls(tls: ServerTls): void;
  /** Stops accepting. Connections stay. */
  close(): void;
}

export async function openListener(at: ListenAddress, options: ListenerOptions): Promise<Listener> {
  const tls = "path" in at ? undefined : options.tls;
  const secure = tls && tlsServer(tls, options);
  const server = secure ?? createServer({ noDelay: true });
  server.on("connection", (socket: Socket) => {
    // A peer may be gone at any time, also during the handshake.
    socket.on("error", () => {});
    if (!options.admit(socket)) {
      socket.destroy();
    } else if (tls === undefined) {
      const transport = typeof server.address() === "string" ? "unix" : "tcp";
      detectVersion(socket, options.accept(socket, peerOf(socket, transport)));
    }
  });
  server.listen(listenOptions(at));
  await once(server, "listening");
  return {
    address: boundAddress(server),
    replaceTls: (next) => secure?.setSecureContext(secureContext(next)),
    close: () => void server.close(),
  };
}

/** The queue is long enough for a thousand clients that come at once. */
function listenOptions(at: ListenAddress): ListenOptions & { fd?: number } {
  return { ...at, backlog: 1024 };
}

/**
 * What may change while a server listens. With it go the keys of session tickets: nobody resumes a session
 * that an earlier authority vouched for.
 */
function secureContext({ cert, key, clientCa }: ServerTls): SecureContextOptions {
  return { cert, key, ...(clientCa === undefined ? {} : { ca: clientCa }), minVersion: "TLSv1.2" };
}

function tlsServer(tls: ServerTls, options: ListenerOptions): TlsServer {
  const asksClients = tls.clientCa !== undefined;
  const server = createTlsServer({
    ...secureContext(tls),
    requestCert: asksClients,
    rejectUnauthorized: asksClients,
    ALPNProtocols: ["h2", "http/1.1"],
    handshakeTimeout: options.limits.headerTimeoutMs,
  });
  server.on("secureConnection", (socket) => {
    const isHttp2 = socket.alpnProtocol === "h2";
    options.accept(socket, peerOf(socket, "tcp", socket))(isHttp2 ? "h2" : "h1");
  });
  server.on("tlsClientError", (_error, socket) => {
    socket.destroy();
  });
  return server;
}

/**
 * The transport is that of the listening socket: the address of a peer is not there when it has gone already,
 * and nobody must pass for a local client that way.
 */
function peerOf(socket: Socket, transport: Peer["transport"], tls?: TLSSocket): Peer {
  const { remoteAddress = "", remotePort = 0 } = socket;
  return {
    transport,
    address: transport === "tcp" ? hostPort(remoteAddress, remotePort) : "",
    encrypted: tls !== undefined,
    certificate: tls?.authorized === true ? tls.getPeerCertificate() : undefined,
  };
}

/** `HOST:PORT`, with brackets around IPv6. */
function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function boundAddress(server: Server): BoundAddress {
  const address = server.address();
  if (address === null || typeof address === "string") {
    return { transport: "unix", path: address ?? "" };
  }
  return { transport: "tcp", host: address.address, port: address.port };
}
