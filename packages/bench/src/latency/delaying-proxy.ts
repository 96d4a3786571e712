import { once } from "node:events";
import {
  type AddressInfo,
  connect,
  createServer,
  type NetConnectOpts,
  type Socket,
} from "node:net";

export interface DelayingProxyOptions {
  /** How long everything is under way, each way, in milliseconds: half of a round trip. */
  readonly delayMs: number;
  /** Where it listens; 127.0.0.1 by default. */
  readonly host?: string;
}

/** Bytes of one direction of a connection that may be under way; beyond that its sender has to wait. */
const MAX_UNDER_WAY = 16 * 1024 * 1024;

/**
 * Stands between a client and a server and makes them as far from each other as the delay says: bytes arrive in
 * their order and none is lost. Opening a connection takes a round trip, as that of TCP does. Counts what went through.
 */
export class DelayingProxy implements AsyncDisposable {
  /** Bytes that have arrived at the server. */
  bytesUp = 0;
  /** Bytes that have arrived at the client. */
  bytesDown = 0;
  /** Connections that were opened so far. */
  connections = 0;
  /** May be changed; holds for what is sent from then on. */
  delayMs: number;
  readonly #target: NetConnectOpts;
  readonly #server = createServer({ allowHalfOpen: true });
  readonly #sockets = new Set<Socket>();

  private constructor(target: NetConnectOpts, options: DelayingProxyOptions) {
    this.#target = target;
    this.delayMs = options.delayMs;
  }

  /** @param target - `{ host, port }`, or `{ path }` of a Unix socket */
  static async listen(
    target: NetConnectOpts,
    options: DelayingProxyOptions,
  ): Promise<DelayingProxy> {
    const proxy = new DelayingProxy(target, options);
    proxy.#server.on("connection", (socket) => proxy.#accept(socket));
    proxy.#server.listen(0, options.host ?? "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** Where clients find it. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Bytes both ways. */
  get bytes(): number {
    return this.bytesUp + this.bytesDown;
  }

  /** Breaks all connections, as if the cable had been cut. New ones can be opened. */
  sever(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.sever();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    this.connections++;
    const server = connect({ ...this.#target, allowHalfOpen: true });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => other.resetAndDestroy());
      socket.on("close", () => this.#sockets.delete(socket));
    }
    // The client believes to be connected at once, so its first bytes wait for the round trip instead.
    const opened = performance.now() + 2 * this.delayMs;
    this.#carry(client, server, opened, (length) => {
      this.bytesUp += length;
    });
    this.#carry(server, client, 0, (length) => {
      this.bytesDown += length;
    });
  }

  /** Takes bytes from one side to the other. */
  #carry(from: Socket, to: Socket, opened: number, count: (length: number) => void): void {
    let underWay = 0;
    const arrivals: { readonly at: number; readonly happen: () => void }[] = [];
    // One timer for all: several would not end in their order where they end together.
    const arrive = (): void => {
      for (let next = arrivals[0]; next !== undefined; next = arrivals[0]) {
        const wait = next.at - performance.now();
        if (wait > 0) {
          setTimeout(arrive, wait);
          return;
        }
        arrivals.shift();
        if (!to.destroyed) next.happen();
      }
    };
    const later = (happen: () => void): void => {
      const at = Math.max(performance.now(), opened) + this.delayMs;
      arrivals.push({ at: Math.max(at, arrivals.at(-1)?.at ?? 0), happen });
      if (arrivals.length === 1) setTimeout(arrive, at - performance.now());
    };
    const resume = (): void => {
      if (underWay < MAX_UNDER_WAY && !to.writableNeedDrain) from.resume();
    };
    from.on("data", (bytes: Buffer) => {
      underWay += bytes.length;
      if (underWay >= MAX_UNDER_WAY) from.pause();
      later(() => {
        underWay -= bytes.length;
        count(bytes.length);
        if (!to.write(bytes)) from.pause();
        else resume();
      });
    });
    to.on("drain", resume);
    from.on("end", () => later(() => to.end()));
  }
}
