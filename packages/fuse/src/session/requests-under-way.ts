import { ERRNO } from "../errno.js";
import type { UniqueKey } from "../protocol/header.js";
import type { Exchange } from "./exchange.js";

/** Bounds of what is under way, and of how long it may go on. */
export interface UnderWayLimits {
  /** Requests that run. */
  readonly running: number;
  /** Requests that wait until others have ended. */
  readonly waiting: number;
  /** Bytes that the running ones may come to. The last to be started may go beyond. */
  readonly bytes: number;
  /** Milliseconds that an interrupted request has to end by itself. */
  readonly interruptGraceMs: number;
  /** Milliseconds that all have to end when all are to. */
  readonly endGraceMs: number;
}

interface Waiting {
  readonly exchange: Exchange;
  readonly start: () => void;
}

/**
 * Requests that a file system has not answered yet, and those that wait for their turn. Both are bounded;
 * requests that are answered at once never come in here.
 */
export class RequestsUnderWay {
  readonly #limits: UnderWayLimits;
  readonly #running = new Map<UniqueKey, Exchange>();
  readonly #waiting = new Map<UniqueKey, Waiting>();
  readonly #graces = new Map<UniqueKey, ReturnType<typeof setTimeout>>();
  #bytes = 0;
  #onIdle: (() => void)[] = [];
  #lastGrace: ReturnType<typeof setTimeout> | undefined;

  constructor(limits: UnderWayLimits) {
    this.#limits = limits;
  }

  /** Whether a request has to wait before it is started. */
  get isFull(): boolean {
    return this.#running.size >= this.#limits.running || this.#bytes >= this.#limits.bytes;
  }

  /** Whether a request with the same unique id is not answered yet. */
  has(exchange: Exchange): boolean {
    if (this.#running.size === 0) return false;
    const { key } = exchange;
    return this.#running.has(key) || this.#waiting.has(key);
  }

  /**
   * Counts a request as running until `pending` settles, which calls one of the others.
   *
   * @param bytes - which its result may have
   */
  track<T>(
    exchange: Exchange,
    bytes: number,
    pending: Promise<T>,
    onResult: (result: T) => void,
    onFailure: (error: unknown) => void,
  ): void {
    const { key } = exchange;
    this.#running.set(key, exchange);
    this.#bytes += bytes;
    pending.then(
      (result) => {
        onResult(result);
        this.#ended(exchange, bytes);
      },
      (error: unknown) => {
        onFailure(error);
        this.#ended(exchange, bytes);
      },
    );
  }

  /** Starts a request when others have ended; EBUSY where too many wait already. */
  wait(exchange: Exchange, start: () => void): void {
    if (this.#waiting.size >= this.#limits.waiting) exchange.fail(ERRNO.EBUSY);
    else this.#waiting.set(exchange.key, { exchange, start });
  }

  /** Says that somebody would rather not wait for an answer. A request that is not there has been answered. */
  interrupt(key: UniqueKey): void {
    const { interruptGraceMs } = this.#limits;
    if (interruptGraceMs === 0) this.#interruptNow(key);
    else if ((this.#running.has(key) || this.#waiting.has(key)) && !this.#graces.has(key)) {
      this.#graces.set(
        key,
        setTimeout(() => this.#interruptNow(key), interruptGraceMs),
      );
    }
  }

  /**
   * Interrupts all, at once, and calls `callback` when they have ended, which may be at once. Those that go on for
   * longer than they may are given up: they are answered with EINTR, and what they come to is dropped.
   */
  endAll(callback: () => void): void {
    for (const key of this.#waiting.keys()) this.#endGrace(key);
    for (const { exchange } of this.#waiting.values()) exchange.fail(ERRNO.EINTR);
    this.#waiting.clear();
    for (const exchange of this.#running.values()) exchange.interrupt();
    if (this.#running.size === 0) {
      callback();
      return;
    }
    this.#onIdle.push(callback);
    this.#lastGrace ??= setTimeout(() => this.#giveUp(), this.#limits.endGraceMs);
  }

  #giveUp(): void {
    for (const [key, exchange] of this.#running) {
      exchange.fail(ERRNO.EINTR);
      this.#endGrace(key);
    }
    this.#running.clear();
    this.#bytes = 0;
    this.#idle();
  }

  #idle(): void {
    clearTimeout(this.#lastGrace);
    this.#lastGrace = undefined;
    const callbacks = this.#onIdle;
    this.#onIdle = [];
    for (const callback of callbacks) callback();
  }

  #interruptNow(key: UniqueKey): void {
    this.#running.get(key)?.interrupt();
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.#waiting.delete(key);
    this.#endGrace(key);
    waiting.exchange.fail(ERRNO.EINTR);
  }

  #endGrace(key: UniqueKey): void {
    clearTimeout(this.#graces.get(key));
    this.#graces.delete(key);
  }

  #ended(exchange: Exchange, bytes: number): void {
    const { key } = exchange;
    // One that was given up does not count any more, and another may have its key.
    if (this.#running.get(key) !== exchange) return;
    this.#running.delete(key);
    // It may have begun to wait for its turn.
    if (!this.#waiting.has(key)) this.#endGrace(key);
    this.#bytes -= bytes;
    this.#startWaiting();
    if (this.#running.size === 0) this.#idle();
  }

  #startWaiting(): void {
    for (const [key, { start }] of this.#waiting) {
      if (this.isFull) return;
      this.#waiting.delete(key);
      start();
      if (!this.#running.has(key)) this.#endGrace(key);
    }
  }
}
