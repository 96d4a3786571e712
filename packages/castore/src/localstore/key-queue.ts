import { orAbort } from "../or-abort.js";

/**
 * Does one piece of work after the other for each key, in the order in which they were asked for; what is
 * for other keys goes on at the same time.
 *
 * @internal
 */
export class KeyQueue {
  /** Settles when all that was asked for a key is done. */
  readonly #ends = new Map<string, Promise<void>>();

  /** @param signal - ends the wait; work that has begun is not told */
  async run<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#ends.get(key);
    let done = (): void => {};
    const own = new Promise<void>((resolve) => {
      done = resolve;
    });
    const end = before === undefined ? own : before.then(() => own);
    this.#ends.set(key, end);
    void end.then(() => {
      if (this.#ends.get(key) === end) this.#ends.delete(key);
    });
    try {
      if (before !== undefined) await orAbort(before, signal);
      return await work();
    } finally {
      done();
    }
  }
}
