import type { CallOptions } from "../blobservice/blob-service.js";
import { type Clock, SYSTEM_CLOCK } from "../clock.js";
import { CastoreError } from "../errors.js";
import { orAbort } from "../or-abort.js";
import { FedSource } from "./fed-source.js";
import { isStoreFailure } from "./store-failures.js";
import { type HealthTicket, StoreHealth, type StoreHealthOptions } from "./store-health.js";
import { streamWithTimeout, withTimeout } from "./with-timeout.js";

/** One of several stores. */
export interface StoreMember<S> {
  readonly service: S;
  /** What it is called in messages. */
  readonly name: string;
  /**
   * Longest wait in milliseconds, for an answer and for each piece of a stream; by default that of the
   * combinator.
   */
  readonly timeoutMs?: number | undefined;
}

export interface GuardOptions extends StoreHealthOptions {
  /** For stores that have no other, in milliseconds; 30,000 by default. */
  readonly timeoutMs?: number;
  /** What a stream has to bring on average while it is waited for; 1,024 by default. */
  readonly minBytesPerSecond?: number;
  /**
   * How long other calls wait, in milliseconds, while one finds out whether a store that was left alone is back. By
   * default, 0, they are refused: there are other stores.
   */
  readonly probePatienceMs?: number;
}

/** Options of a call to a guarded store: the signal is there always. */
export interface GuardedCall {
  readonly signal: AbortSignal;
}

const TIMEOUT_MS = 30_000;

/** A store that is waited for so long and no longer, and is left alone for a while after failures in a row. */
export class GuardedStore<S> {
  readonly name: string;
  readonly #service: S;
  readonly #timeoutMs: number;
  readonly #minBytesPerSecond: number | undefined;
  readonly #probePatienceMs: number;
  readonly #clock: Clock;
  readonly #health: StoreHealth;

  constructor(member: StoreMember<S>, options: GuardOptions = {}) {
    this.name = member.name;
    this.#service = member.service;
    this.#timeoutMs = member.timeoutMs ?? options.timeoutMs ?? TIMEOUT_MS;
    this.#minBytesPerSecond = options.minBytesPerSecond;
    this.#probePatienceMs = options.probePatienceMs ?? 0;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#health = new StoreHealth(options);
  }

  /** Whether a call would be refused without asking the store. */
  get isResting(): boolean {
    return this.#health.isResting;
  }

  /**
   * Asks the store.
   *
   * @throws {@link CastoreError} "UNAVAILABLE" when it does not answer in time, or rests
   */
  async run<T>(
    call: (service: S, options: GuardedCall) => Promise<T>,
    { signal }: CallOptions = {},
  ): Promise<T> {
    signal?.throwIfAborted();
    const ticket = this.#health.begin() ?? (await this.#admit(signal));
    try {
      const work = (linked: AbortSignal): Promise<T> => call(this.#service, { signal: linked });
      const answer = await withTimeout(work, this.#timeouts(signal));
      ticket.succeeded();
      return answer;
    } catch (error) {
      this.#settle(ticket, error, signal);
      throw error;
    }
  }

  /**
   * What the store streams.
   *
   * @param bytesOf - see `StreamTimeoutOptions.bytesOf`
   * @throws {@link CastoreError} "UNAVAILABLE" when it makes its consumer wait for too long, or rests
   */
  async *stream<T>(
    open: (service: S, options: GuardedCall) => AsyncIterable<T>,
    { signal, bytesOf }: CallOptions & { readonly bytesOf?: (item: T) => number } = {},
  ): AsyncGenerator<T, void, undefined> {
    signal?.throwIfAborted();
    const ticket = this.#health.begin() ?? (await this.#admit(signal));
    try {
      const items = streamWithTimeout((linked) => open(this.#service, { signal: linked }), {
        ...this.#timeouts(signal),
        bytesOf,
        minBytesPerSecond: this.#minBytesPerSecond,
      });
      for await (const item of items) {
        // Others wait to know whether the store is back. Else only the end of a stream tells that it is well.
        if (ticket.isProbe) ticket.succeeded();
        yield item;
      }
      ticket.succeeded();
    } catch (error) {
      this.#settle(ticket, error, signal);
      throw error;
    } finally {
      // Does nothing after the others: who leaves a stream has said nothing about the store.
      ticket.abandoned();
    }
  }

  /**
   * Gives `source` to the store. The time that the source takes does not count, so that its length does not
   * matter: the store has its time for each piece, and for its answer after the last. The source is left as it is
   * where the store leaves it; to close it is for the caller.
   *
   * @throws {@link CastoreError} "UNAVAILABLE" when the store takes too long, or rests; what `source` fails with
   */
  async feed<P, T>(
    source: AsyncIterable<P>,
    call: (service: S, source: AsyncIterable<P>, options: GuardedCall) => Promise<T>,
    { signal }: CallOptions = {},
  ): Promise<T> {
    signal?.throwIfAborted();
    const ticket = this.#health.begin() ?? (await this.#admit(signal));
    const fed = new FedSource(source, this.#timeouts(signal));
    try {
      const answer = await fed.run((pieces, linked) =>
        call(this.#service, pieces, { signal: linked }),
      );
      ticket.succeeded();
      return answer;
    } catch (error) {
      if (fed.failure === undefined) this.#settle(ticket, error, signal);
      throw fed.failure === undefined ? error : fed.failure.error;
    } finally {
      ticket.abandoned();
    }
  }

  #timeouts(signal: AbortSignal | undefined) {
    return {
      timeoutMs: this.#timeoutMs,
      name: this.name,
      ...(signal && { signal }),
      clock: this.#clock,
    };
  }

  /** Of a store that rests. */
  async #admit(signal: AbortSignal | undefined): Promise<HealthTicket> {
    const { probed } = this.#health;
    if (probed !== undefined && this.#probePatienceMs > 0) await this.#await(probed, signal);
    const ticket = this.#health.begin();
    if (ticket !== undefined) return ticket;
    throw new CastoreError(
      "UNAVAILABLE",
      `Cannot reach ${this.name}: it has failed several times and is left alone for a while`,
      { cause: this.#health.lastError },
    );
  }

  /** Waits until it is known whether the store is back, and not for long. */
  async #await(probed: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    let stopTimer = (): void => {};
    const late = new Promise<void>((resolve) => {
      stopTimer = this.#clock.after(this.#probePatienceMs, resolve);
    });
    try {
      await orAbort(Promise.race([probed, late]), signal);
    } finally {
      stopTimer();
    }
  }

  #settle(ticket: HealthTicket, error: unknown, signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) ticket.abandoned();
    else if (isStoreFailure(error)) ticket.failed(error);
    else ticket.succeeded();
  }
}
