/**
 * Items that are begun before a result that is ready is handed out. More than one, so that the distance to the
 * consumer grows; few, so that the first result comes soon.
 */
const STEP_ITEMS = 2;

/** How far {@link mapAhead} may run ahead of its consumer. */
export interface MapAheadOptions<T> {
  /** Most items that are worked on or wait to be taken. */
  readonly maxItems: number;
  /** What their weights may add up to; one item alone may weigh more. */
  readonly maxWeight: number;
  /** What an item costs while it is worked on or waits, in the unit of `maxWeight`. */
  readonly weigh: (item: T) => number;
}

interface Running<R> {
  readonly weight: number;
  isSettled: boolean;
  readonly result: Promise<R>;
}

/**
 * Applies `work` to the items of `source`, several at a time, and yields the results in the order of
 * the items. The first failure ends it; work that was begun by then is left to end by itself.
 */
export async function* mapAhead<T, R>(
  source: AsyncIterable<T>,
  work: (item: T) => Promise<R>,
  options: MapAheadOptions<T>,
): AsyncGenerator<R, void, undefined> {
  const items = source[Symbol.asyncIterator]();
  const running: Running<R>[] = [];
  let weight = 0;
  const hasRoom = (item: T) =>
    running.length === 0 ||
    (running.length < options.maxItems && weight + options.weigh(item) <= options.maxWeight);
  try {
    let next = await items.next();
    while (next.done !== true || running.length > 0) {
      for (let begun = 0; next.done !== true && hasRoom(next.value); begun++) {
        if (begun >= STEP_ITEMS && running[0]?.isSettled === true) break;
        const started = start(next.value, work, options);
        running.push(started);
        weight += started.weight;
        next = await items.next();
      }
      const first = running.shift() as Running<R>;
      yield await first.result;
      weight -= first.weight;
    }
  } finally {
    await items.return?.();
  }
}

function start<T, R>(
  item: T,
  work: (item: T) => Promise<R>,
  options: MapAheadOptions<T>,
): Running<R> {
  const result = work(item);
  const running = { weight: options.weigh(item), isSettled: false, result };
  const settle = (): void => {
    running.isSettled = true;
  };
  // It may fail before its turn comes; until then nobody listens, which must not end the process.
  result.then(settle, settle);
  return running;
}
