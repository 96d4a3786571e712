import type { CallOptions } from "../blobservice/blob-service.js";
import { LinkedAbort } from "../linked-abort.js";
import { orAbort } from "../or-abort.js";
import type { GuardedCall, GuardedStore } from "./guarded-store.js";
import { failureOfStores, type StoreFailure } from "./store-failures.js";

/** Opens a stream of one store. One that ends without an item says that the store does not have what is asked for. */
export type OpenStream<S, T> = (service: S, options: GuardedCall) => AsyncIterable<T>;

export interface AskStreamOptions<T> extends CallOptions {
  /** What could not be done when it fails, as in "Cannot read directory b3:...". */
  readonly action: string;
  /** Length of an item in bytes: stores that are too slow are given up. */
  readonly bytesOf?: (item: T) => number;
}

/**
 * What the first store streams that has something, asked one after the other. Once an item was given out its store
 * is the one, and what it fails with is final.
 *
 * @throws {@link CastoreError} when none has anything and some did not answer
 */
export async function* firstStream<S, T>(
  stores: readonly GuardedStore<S>[],
  open: OpenStream<S, T>,
  { action, ...options }: AskStreamOptions<T>,
): AsyncGenerator<T, void, undefined> {
  const failures: StoreFailure[] = [];
  for (const store of stores) {
    let isBegun = false;
    try {
      for await (const item of store.stream(open, options)) {
        isBegun = true;
        yield item;
      }
      if (isBegun) return;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (isBegun) throw error;
      failures.push({ store: store.name, error });
    }
  }
  if (failures.length > 0) throw failureOfStores(action, failures);
}

/** A store that takes part. */
interface Runner<T> {
  readonly name: string;
  readonly call: LinkedAbort;
  readonly items: AsyncGenerator<T, void, undefined>;
}

/** One whose stream has begun. */
interface Begun<T> {
  readonly first: T;
  readonly runner: Runner<T>;
}

/** Why the others are cancelled. Shared: to make an error takes time. */
const ANSWERED = new DOMException("Another store has answered", "AbortError");
/** What a store without an answer comes to, inside. */
const NO_ANSWER = new Error("no answer");

/** {@link firstStream} of stores that are asked at the same time: that of the one whose first item comes first. */
export async function* fastestStream<S, T>(
  stores: readonly GuardedStore<S>[],
  open: OpenStream<S, T>,
  { action, signal, ...options }: AskStreamOptions<T>,
): AsyncGenerator<T, void, undefined> {
  signal?.throwIfAborted();
  const runners = stores.map((store): Runner<T> => {
    const call = new LinkedAbort(signal);
    const items = store.stream(open, { ...options, signal: call.signal });
    return { name: store.name, call, items };
  });
  let winner: Begun<T> | undefined;
  try {
    winner = await orAbort(fastest(runners, action), signal);
  } finally {
    for (const runner of runners) if (runner !== winner?.runner) cancel(runner);
  }
  if (winner === undefined) return;
  const { first, runner } = winner;
  try {
    yield first;
    yield* runner.items;
  } finally {
    await runner.items.return();
    runner.call.end();
  }
}

async function fastest<T>(
  runners: readonly Runner<T>[],
  action: string,
): Promise<Begun<T> | undefined> {
  const failures: StoreFailure[] = [];
  const begin = async (runner: Runner<T>): Promise<Begun<T>> => {
    try {
      const item = await runner.items.next();
      if (item.done !== true) return { first: item.value, runner };
    } catch (error) {
      failures.push({ store: runner.name, error });
    }
    throw NO_ANSWER;
  };
  try {
    return await Promise.any(runners.map(begin));
  } catch {
    if (failures.length > 0) throw failureOfStores(action, failures);
    return undefined;
  }
}

function cancel({ call, items }: Runner<unknown>): void {
  call.end(ANSWERED);
  // How it ends matters to nobody.
  items.return().catch(() => {});
}
