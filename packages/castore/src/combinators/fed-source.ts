import { type Clock, SYSTEM_CLOCK } from "../clock.js";
import { LinkedAbort } from "../linked-abort.js";
import { orAbort } from "../or-abort.js";
import { type TimeoutOptions, timedOut } from "./with-timeout.js";

/** A source that is given to a store, which must not take long over any piece of it. */
export class FedSource<P> {
  readonly #source: AsyncIterable<P>;
  readonly #options: TimeoutOptions;
  readonly #clock: Clock;
  readonly #call: LinkedAbort;
  #stopTimer: (() => void) | undefined;
  /** What the source has failed with, which is not the store's fault. */
  failure: { readonly error: unknown } | undefined;

  constructor(source: AsyncIterable<P>, options: TimeoutOptions) {
    this.#source = source;
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#call = new LinkedAbort(options.signal);
  }

  /** Gives the pieces to `work`, whose signal aborts when it takes too long. */
  async run<T>(work: (pieces: AsyncIterable<P>, signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#call;
    this.#begin();
    try {
      return await orAbort(work(this.#pieces(), signal), signal);
    } finally {
      this.#end();
      this.#call.end();
    }
  }

  async *#pieces(): AsyncGenerator<P, void, undefined> {
    const iterator = this.#source[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.#next(iterator);
      if (next.done === true) return;
      yield next.value;
    }
  }

  /** The store waits for us meanwhile. */
  async #next(iterator: AsyncIterator<P>): Promise<IteratorResult<P>> {
    this.#end();
    try {
      return await iterator.next();
    } catch (error) {
      this.failure = { error };
      throw error;
    } finally {
      this.#begin();
    }
  }

  #begin(): void {
    const { timeoutMs, name } = this.#options;
    if (timeoutMs === undefined || this.#call.signal.aborted) return;
    this.#stopTimer = this.#clock.after(timeoutMs, () => this.#call.end(timedOut(name, timeoutMs)));
  }

  #end(): void {
    this.#stopTimer?.();
  }
}
