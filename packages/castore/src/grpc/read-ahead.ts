import type { CallOptions } from "../blobservice/blob-service.js";
import { LinkedAbort } from "../linked-abort.js";

/**
 * What `read` gives for each of `items`, in their order. The next ones are read while the consumer has the one
 * before. Leaving the stream ends what is under way.
 *
 * @param ahead - how many are read beside the one that is waited for; asked each time
 */
export async function* readAhead<T, R>(
  items: Iterable<T>,
  ahead: () => number,
  read: (item: T, options: CallOptions) => Promise<R>,
  { signal }: CallOptions,
): AsyncGenerator<R, void, undefined> {
  const call = new LinkedAbort(signal);
  const rest = items[Symbol.iterator]();
  const underWay: Promise<R>[] = [];
  const begin = (): boolean => {
    const next = rest.next();
    if (next.done === true) return false;
    const reading = read(next.value, { signal: call.signal });
    // It may fail before its turn comes; until then nobody listens.
    reading.catch(() => {});
    underWay.push(reading);
    return true;
  };
  try {
    for (;;) {
      while (underWay.length <= ahead() && begin());
      const first = underWay.shift();
      if (first === undefined) return;
      yield await first;
    }
  } finally {
    call.end();
  }
}
