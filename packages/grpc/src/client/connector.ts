import { Code, ConnectError } from "@connectrpc/connect";
import type { RpcAddress } from "./address.js";
import type { ResolvedChannelOptions } from "./options.js";
import { openSession, type Session } from "./session.js";

/**
 * Keeps one connection to a server and makes a new one when it is gone. After failed attempts it waits,
 * longer each time; calls that come meanwhile wait for the next attempt and share its result.
 */
export class Connector {
  readonly #address: RpcAddress;
  readonly #options: ResolvedChannelOptions;
  #session: Session | undefined;
  /** With those that the server has sent away and that still have calls. */
  readonly #sessions = new Set<Session>();
  #connecting: Promise<Session> | undefined;
  #failures = 0;
  #retryAt = 0;
  #stopWaiting: (() => void) | undefined;
  #closed = false;

  constructor(address: RpcAddress, options: ResolvedChannelOptions) {
    this.#address = address;
    this.#options = options;
  }

  /** The connection, when there is one that takes calls. */
  get current(): Session | undefined {
    return this.#session?.usable === true ? this.#session : undefined;
  }

  /** The connection, made where there is none. Rejects with Unavailable when that fails. */
  connect(): Promise<Session> {
    const { current } = this;
    if (current !== undefined) {
      return Promise.resolve(current);
    }
    this.#connecting ??= this.#attempt().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /** Ends the connection and the calls on it; new calls fail. */
  close(): void {
    this.#closed = true;
    this.#stopWaiting?.();
    for (const session of this.#sessions) {
      session.destroy();
    }
  }

  async #attempt(): Promise<Session> {
    await this.#backoff();
    this.#assertOpen();
    let session: Session;
    try {
      session = await openSession(this.#address, this.#options);
    } catch (error) {
      this.#retryAt = performance.now() + this.#delay();
      this.#failures++;
      throw error;
    }
    if (this.#closed) {
      session.destroy();
    }
    this.#assertOpen();
    this.#failures = 0;
    this.#retryAt = 0;
    this.#session = session;
    this.#sessions.add(session);
    session.http2.once("close", () => this.#sessions.delete(session));
    return session;
  }

  #assertOpen(): void {
    if (this.#closed) {
      throw new ConnectError("Cannot call: the channel is closed", Code.Unavailable);
    }
  }

  /** Waits until the next attempt is due. */
  #backoff(): Promise<void> {
    const wait = this.#retryAt - performance.now();
    if (wait <= 0 || this.#closed) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.#stopWaiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Doubles with each failure; drawn from its upper half, so that many clients do not come at once. */
  #delay(): number {
    const { minBackoffMs, maxBackoffMs } = this.#options;
    const full = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(this.#failures, 30));
    return full * (0.5 + Math.random() / 2);
  }
}
