import { ERRNO } from "../errno.js";
import type { UniqueKey } from "../protocol/header.js";
import type { Exchange } from "./exchange.js";

interface Waiting {
  readonly exchange: Exchange;
  readonly start: () => void;
}

/**
 * Requests that a file system has not answered yet, and those that wait for their turn. Both are bounded;
 * requests that are answered at once never come in here.
 */
export class RequestsUnderWay {
  readonly #maxRunning: number;
  readonly #maxWaiting: number;
  readonly #running = new Map<UniqueKey, Exchange>();
  readonly #waiting = new Map<UniqueKey, Waiting>();
  #onIdle: (() => void)[] = [];

  constructor(maxRunning: number, maxWaiting: number) {
    this.#maxRunning = maxRunning;
    this.#maxWaiting = maxWaiting;
  }

  /** Whether a request has to wait before it is started. */
  get isFull(): boolean {
    return this.#running.size >= this.#maxRunning || this.#waiting.size > 0;
  }

  /** Whether a request with the same unique id is not answered yet. */
  has(exchange: Exchange): boolean {
    if (this.#running.size === 0) return false;
    const { key } = exchange;
    return this.#running.has(key) || this.#waiting.has(key);
  }

  /** Counts a request as running until `pending` settles, which calls one of the others. */
  track<T>(
    exchange: Exchange,
    pending: Promise<T>,
    onResult: (result: T) => void,
    onFailure: (error: unknown) => void,
  ): void {
    const { key } = exchange;
    this.#running.set(key, exchange);
    pending.then(
      (result) => {
        onResult(result);
        this.#ended(key);
      },
      (error: unknown) => {
        onFailure(error);
        this.#ended(key);
      },
    );
  }

  /** Starts a request when others have ended; EBUSY where too many wait already. */
  wait(exchange: Exchange, start: () => void): void {
    if (this.#waiting.size >= this.#maxWaiting) exchange.fail(ERRNO.EBUSY);
    else this.#waiting.set(exchange.key, { exchange, start });
  }

  /** Says that an answer is no longer wanted. A request that is not there has been answered. */
  interrupt(key: UniqueKey): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      this.#running.get(key)?.interrupt();
      return;
    }
    this.#waiting.delete(key);
    waiting.exchange.fail(ERRNO.EINTR);
  }

  /** Interrupts all. */
  interruptAll(): void {
    for (const { exchange } of this.#waiting.values()) exchange.fail(ERRNO.EINTR);
    this.#waiting.clear();
    for (const exchange of this.#running.values()) exchange.interrupt();
  }

  /** Calls `callback` when nothing is under way, which may be at once. */
  whenIdle(callback: () => void): void {
    if (this.#running.size === 0) callback();
    else this.#onIdle.push(callback);
  }

  #ended(key: UniqueKey): void {
    this.#running.delete(key);
    this.#startWaiting();
    if (this.#running.size > 0) return;
    const callbacks = this.#onIdle;
    this.#onIdle = [];
    for (const callback of callbacks) callback();
  }

  #startWaiting(): void {
    for (const [key, { start }] of this.#waiting) {
      if (this.#running.size >= this.#maxRunning) return;
      this.#waiting.delete(key);
      start();
    }
  }
}
