import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Code, ConnectError } from "@connectrpc/connect";
import { CLIENT_STREAM_WINDOW, CONNECTION_WINDOW, MAX_SESSION_MEMORY_MB } from "../wire/windows.js";
import { formatRpcAddress, type RpcAddress } from "./address.js";
import type { ClientTls, ResolvedChannelOptions } from "./options.js";

/** One connection to a server, with the watch over it. */
export class Session {
  readonly http2: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #keepalive: NodeJS.Timeout;
  /** Calls that have not ended. */
  calls = 0;
  #bytesRead = 0;
  #lost: unknown;

  constructor(http2: ClientHttp2Session, socket: Socket, options: ResolvedChannelOptions) {
    this.http2 = http2;
    this.#socket = socket;
    http2.on("error", (error) => {
      this.#lost ??= error;
    });
    // Only the bytes tell that the peer lives; the timers of Node count what we send too.
    this.#keepalive = setInterval(
      () => this.#checkAlive(options.keepaliveTimeoutMs),
      options.keepaliveIntervalMs,
    ).unref();
    http2.once("close", () => clearInterval(this.#keepalive));
  }

  /** Whether calls may begin. Not after GOAWAY: what is in flight then goes on. */
  get usable(): boolean {
    return !this.http2.closed && !this.http2.destroyed && !this.#socket.destroyed;
  }

  /** Whether the connection is gone, and with it what has not been answered. */
  get isLost(): boolean {
    return this.http2.destroyed || this.#socket.destroyed;
  }

  /** Why the connection was lost, where it is known. */
  get lostReason(): unknown {
    return this.#lost ?? this.#socket.errored ?? undefined;
  }

  /** Ends the connection and all calls on it. */
  destroy(): void {
    this.http2.destroy();
    this.#socket.destroy();
  }

  #checkAlive(timeoutMs: number): void {
    const { bytesRead } = this.#socket;
    const isSilent = bytesRead === this.#bytesRead;
    this.#bytesRead = bytesRead;
    if (!isSilent || this.calls === 0 || this.isLost) {
      return;
    }
    const timer = setTimeout(() => {
      this.#lost = new Error("the server does not answer pings");
      this.destroy();
    }, timeoutMs).unref();
    this.http2.ping(() => clearTimeout(timer));
  }
}

/**
 * Connects. Resolves when the connection stands, TLS included.
 *
 * @throws ConnectError with Unavailable
 */
export async function openSession(
  address: RpcAddress,
  options: ResolvedChannelOptions,
): Promise<Session> {
  const socket = openSocket(address, options.tls ?? {});
  const encrypted = address.transport === "tcp" && address.encrypted;
  const timeout = AbortSignal.timeout(options.connectTimeoutMs);
  try {
    await once(socket, encrypted ? "secureConnect" : "connect", { signal: timeout });
    if (encrypted && "alpnProtocol" in socket && socket.alpnProtocol !== "h2") {
      throw new Error("the server does not offer HTTP/2");
    }
  } catch (error) {
    socket.on("error", () => {});
    socket.destroy();
    throw unavailable(address, timeout.aborted ? timeout.reason : error);
  }
  const http2 = connectHttp2(authorityOf(address), {
    createConnection: () => socket,
    maxSessionMemory: MAX_SESSION_MEMORY_MB,
    settings: { initialWindowSize: CLIENT_STREAM_WINDOW, enablePush: false },
  });
  const session = new Session(http2, socket, options);
  try {
    await once(http2, "connect");
  } catch (error) {
    session.destroy();
    throw unavailable(address, error);
  }
  http2.setLocalWindowSize(CONNECTION_WINDOW);
  return session;
}

/** The error of calls to a server that cannot be reached. */
function unavailable(address: RpcAddress, cause: unknown): ConnectError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ConnectError(
    `Cannot connect to ${formatRpcAddress(address)}: ${why}`,
    Code.Unavailable,
    undefined,
    undefined,
    cause,
  );
}

function openSocket(address: RpcAddress, tls: ClientTls): Socket {
  if (address.transport === "unix") {
    return connectTcp({ path: address.path });
  }
  const { host, port } = address;
  if (!address.encrypted) {
    return connectTcp({ host, port, noDelay: true });
  }
  const name = tls.serverName ?? (isIP(host) === 0 ? host : undefined);
  return connectTls({
    host,
    port,
    ALPNProtocols: ["h2"],
    minVersion: "TLSv1.2",
    ...(name === undefined ? {} : { servername: name }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  });
}

/** What `:authority` and `:scheme` say. */
function authorityOf(address: RpcAddress): string {
  if (address.transport === "unix") {
    return "http://localhost";
  }
  return formatRpcAddress(address).replace("grpc+", "");
}
