/** Pieces of work that are done at a time; what comes meanwhile is left for the next time. */
const MAX_AT_A_TIME = 4;

/** Work that nobody waits for: a few things at a time, the same only once, until it is closed. */
export class Healing {
  readonly #onError: (error: unknown) => void;
  readonly #abort = new AbortController();
  readonly #running = new Map<string, Promise<void>>();

  /** @param onError - is told what work fails with, unless it was ended by {@link close} */
  constructor(onError: (error: unknown) => void = () => {}) {
    this.#onError = onError;
  }

  /** Does `work`, unless that is done already, or there is too much to do. */
  start(key: string, work: (signal: AbortSignal) => Promise<void>): void {
    const { signal } = this.#abort;
    if (signal.aborted || this.#running.has(key) || this.#running.size >= MAX_AT_A_TIME) return;
    this.#running.set(key, this.#run(key, work, signal));
  }

  /** Fulfils when nothing is left to do. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Ends all of it. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.idle();
  }

  async #run(
    key: string,
    work: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await work(signal);
    } catch (error) {
      if (!signal.aborted) this.#onError(error);
    } finally {
      this.#running.delete(key);
    }
  }
}
