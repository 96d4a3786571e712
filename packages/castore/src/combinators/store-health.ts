import { type Clock, SYSTEM_CLOCK } from "../clock.js";

export interface StoreHealthOptions {
  /** Failures in a row after which a store is left alone for a while; 3 by default. */
  readonly failures?: number;
  /** For how long, in milliseconds, the first time; each time in a row twice as long. 1,000 by default. */
  readonly retryAfterMs?: number;
  /** Longest time that it is left alone, in milliseconds; 60,000 by default. */
  readonly maxRetryAfterMs?: number;
  readonly clock?: Clock;
}

/** A call that {@link StoreHealth} lets through. Is told how it ended; what it is told after that does not count. */
export interface HealthTicket {
  /** Whether it is the one that finds out whether the store is back. */
  readonly isProbe: boolean;
  /** The store has answered, be it that it does not have what was asked for. */
  succeeded(): void;
  failed(error: unknown): void;
  /** The caller gave up: that says nothing about the store. */
  abandoned(): void;
}

/**
 * Whether a store is worth asking: a circuit breaker. After some failures in a row it rests, and costs its callers
 * no time. Then one call is let through; when that succeeds all are, and when it fails the store rests longer.
 */
export class StoreHealth {
  readonly #options: Required<StoreHealthOptions>;
  #failuresInRow = 0;
  #retryAfterMs: number;
  #restsUntil = 0;
  /** The call that finds out whether the store is back, while it is under way. */
  #probe: { readonly ended: Promise<void>; end(): void } | undefined;
  #lastError: unknown;

  constructor(options: StoreHealthOptions = {}) {
    this.#options = {
      failures: options.failures ?? 3,
      retryAfterMs: options.retryAfterMs ?? 1000,
      maxRetryAfterMs: options.maxRetryAfterMs ?? 60_000,
      clock: options.clock ?? SYSTEM_CLOCK,
    };
    this.#retryAfterMs = this.#options.retryAfterMs;
  }

  /** What the store failed with last. */
  get lastError(): unknown {
    return this.#lastError;
  }

  /** Whether a call would not be let through. */
  get isResting(): boolean {
    if (!this.#isOpen) return false;
    return this.#probe !== undefined || this.#options.clock.now() < this.#restsUntil;
  }

  /** Fulfils when it is known whether the store is back; `undefined` when nobody is about to find out. */
  get probed(): Promise<void> | undefined {
    return this.#probe?.ended;
  }

  /** Lets a call through; `undefined` when the store rests. */
  begin(): HealthTicket | undefined {
    if (this.isResting) return undefined;
    const isProbe = this.#isOpen;
    if (isProbe) this.#probe = newProbe();
    let isSettled = false;
    const once = (settle: () => void): void => {
      if (!isSettled) settle();
      isSettled = true;
    };
    return {
      isProbe,
      succeeded: () => once(() => this.#reset()),
      failed: (error) => once(() => this.#fail(error, isProbe)),
      abandoned: () =>
        once(() => {
          if (isProbe) this.#endProbe();
        }),
    };
  }

  get #isOpen(): boolean {
    return this.#failuresInRow >= this.#options.failures;
  }

  #reset(): void {
    this.#failuresInRow = 0;
    this.#retryAfterMs = this.#options.retryAfterMs;
    this.#endProbe();
  }

  #fail(error: unknown, isProbe: boolean): void {
    this.#lastError = error;
    // It was under way when others failed: that the store is down is known.
    if (this.#isOpen && !isProbe) return;
    if (isProbe) {
      this.#retryAfterMs = Math.min(2 * this.#retryAfterMs, this.#options.maxRetryAfterMs);
    } else {
      this.#failuresInRow++;
    }
    this.#restsUntil = this.#options.clock.now() + this.#retryAfterMs;
    if (isProbe) this.#endProbe();
  }

  #endProbe(): void {
    this.#probe?.end();
    this.#probe = undefined;
  }
}

function newProbe(): { readonly ended: Promise<void>; end(): void } {
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { ended, end };
}
