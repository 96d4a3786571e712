/** How long one service may take to close, in milliseconds. */
const CLOSE_MS = 10_000;

/** What is to be closed, the last first. Closing ends in bounded time, whatever the parts do. */
export class Closers {
  readonly #closers: (() => void | PromiseLike<void>)[] = [];
  readonly #limitMs: number;

  constructor(limitMs: number = CLOSE_MS) {
    this.#limitMs = limitMs;
  }

  add(close: () => void | PromiseLike<void>): void {
    this.#closers.push(close);
  }

  /**
   * Closes all of them, also when some fail or take too long.
   *
   * @throws what failed first
   */
  async closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (;;) {
      const close = this.#closers.pop();
      if (close === undefined) break;
      await this.#close(close).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  async #close(close: () => void | PromiseLike<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, fail) => {
      timer = setTimeout(
        () => fail(new Error(`Cannot close a service: it has not ended in ${this.#limitMs} ms`)),
        this.#limitMs,
      );
    });
    try {
      await Promise.race([(async () => await close())(), limit]);
    } finally {
      clearTimeout(timer);
    }
  }
}
