/** Streams of servers that are slow on purpose, or hang: they end. */
import { CastoreError } from "../errors.js";

/** What a stream has to bring while somebody waits for it. */
export interface Pace<T> {
  /** How long may be waited for {@link amount}, in milliseconds. */
  readonly windowMs: number;
  /** How much that is, as {@link measure} counts. */
  readonly amount: number;
  /** How much an item brings. */
  measure(item: T): number;
}

/**
 * The items of a stream that keeps the pace. Only the time counts in which the caller waits for it: whoever takes
 * the items late does not break off the stream with that.
 *
 * @param stop - is told why the stream is given up; it must make a step that is under way end
 * @throws {@link CastoreError} "UNAVAILABLE"
 */
export async function* inTime<T>(
  items: AsyncIterable<T>,
  pace: Pace<T>,
  stop: (reason: CastoreError) => void,
): AsyncGenerator<T, void, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  let waited = 0;
  let brought = 0;
  let late: CastoreError | undefined;
  const giveUp = (): void => {
    const seconds = pace.windowMs / 1000;
    const message = `Cannot go on reading: for ${seconds} seconds the server has sent too little`;
    late = new CastoreError("UNAVAILABLE", message);
    stop(late);
  };
  try {
    for (;;) {
      const begin = performance.now();
      const timer = setTimeout(giveUp, Math.max(0, pace.windowMs - waited));
      const next = await iterator.next().finally(() => clearTimeout(timer));
      if (late !== undefined) throw late;
      if (next.done === true) return;
      waited += performance.now() - begin;
      brought += pace.measure(next.value);
      if (brought >= pace.amount) [waited, brought] = [0, 0];
      yield next.value;
    }
  } catch (error) {
    throw late ?? error;
  } finally {
    await iterator.return?.();
  }
}
