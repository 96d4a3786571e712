import { createSecureContext } from "node:tls";
import {
  type BoundAddress,
  type ListenAddress,
  type Listener,
  type ListenerOptions,
  openListener,
  type ServerTls,
} from "./listener.js";

/** All addresses that a server listens on, and the certificate that they share. */
export class Listeners {
  #tls: ServerTls | undefined;
  readonly #options: Omit<ListenerOptions, "tls">;
  readonly #open: Listener[] = [];

  constructor(tls: ServerTls | undefined, options: Omit<ListenerOptions, "tls">) {
    this.#tls = tls;
    this.#options = options;
  }

  get addresses(): readonly BoundAddress[] {
    return this.#open.map((listener) => listener.address);
  }

  async open(at: ListenAddress): Promise<BoundAddress> {
    const listener = await openListener(at, { ...this.#options, tls: this.#tls });
    this.#open.push(listener);
    return listener.address;
  }

  /** See `RpcServer.replaceTls()`. */
  replaceTls(tls: ServerTls): void {
    const current = this.#tls;
    if (current === undefined) {
      throw new TypeError("Cannot replace the certificate: the server has no TLS");
    }
    if ((current.clientCa === undefined) !== (tls.clientCa === undefined)) {
      throw new TypeError(
        "Cannot replace the certificate: whether clients are asked for one cannot change",
      );
    }
    // Fails before anything has changed.
    createSecureContext({ cert: tls.cert, key: tls.key, ca: tls.clientCa });
    this.#tls = tls;
    for (const listener of this.#open) {
      listener.replaceTls(tls);
    }
  }

  /** Stops accepting. */
  close(): void {
    for (const listener of this.#open.splice(0)) {
      listener.close();
    }
  }
}
