import { LinkedAbort } from "@tvix/castore";

/** Tells a piece of work whether all before it are done. */
export interface Turn {
  isFirst: boolean;
}

/** What {@link startAhead} does for an item. */
type Work<T, R> = (item: T, turn: Turn, signal: AbortSignal) => Promise<R>;

/**
 * Does `work` for all items, up to `lanes` at a time, and yields the results in the order of the items. The first failure,
 * in that order, ends all that has begun, and is thrown when it has ended; an abort of `signal` is not waited for.
 */
export async function* startAhead<T, R>(
  items: readonly T[],
  work: Work<T, R>,
  { lanes, signal }: { readonly lanes: number; readonly signal: AbortSignal },
): AsyncGenerator<R, void, undefined> {
  const all = new LinkedAbort(signal);
  const rest = items.values();
  const running: { readonly turn: Turn; readonly result: Promise<R> }[] = [];
  try {
    for (;;) {
      while (running.length < lanes) {
        const next = rest.next();
        if (next.done === true) break;
        const turn = { isFirst: false };
        const result = work(next.value, turn, all.signal);
        // It may fail before its turn.
        result.catch(() => {});
        running.push({ turn, result });
      }
      const [first] = running;
      if (first === undefined) return;
      first.turn.isFirst = true;
      yield await first.result;
      running.shift();
    }
  } finally {
    all.end();
    if (!signal.aborted) await Promise.allSettled(running.map(({ result }) => result));
  }
}
