import type { CallOptions } from "../blobservice/blob-service.js";
import { LinkedAbort } from "../linked-abort.js";
import type { GuardedCall, GuardedStore } from "./guarded-store.js";
import { failureOfStores, type StoreFailure } from "./store-failures.js";

/** Asks one store. `undefined` when it does not have what is asked for. */
export type AskStore<S, T> = (
  service: S,
  options: GuardedCall,
  store: GuardedStore<S>,
) => Promise<T | undefined>;

export interface AskOptions extends CallOptions {
  /** What could not be done when it fails, as in "Cannot read blob b3:...". */
  readonly action: string;
}

/**
 * The answer of the first store that has one, asked one after the other. The others are asked only when those
 * before do not have it, fail, take too long or rest.
 *
 * @returns `undefined` when all have answered that they do not have it
 * @throws {@link CastoreError} when none has it and some did not answer
 */
export async function firstAnswer<S, T>(
  stores: readonly GuardedStore<S>[],
  ask: AskStore<S, T>,
  { signal, action }: AskOptions,
): Promise<T | undefined> {
  const failures: StoreFailure[] = [];
  for (const store of stores) {
    try {
      const answer = await store.run(
        (service, options) => ask(service, options, store),
        signal && { signal },
      );
      if (answer !== undefined) return answer;
    } catch (error) {
      signal?.throwIfAborted();
      failures.push({ store: store.name, error });
    }
  }
  if (failures.length > 0) throw failureOfStores(action, failures);
  return undefined;
}

/** Why the others are cancelled. Shared: to make an error takes time. */
const ANSWERED = new DOMException("Another store has answered", "AbortError");

/**
 * {@link firstAnswer} of stores that are asked at the same time: that of the fastest which has one. The calls
 * of the others are aborted.
 */
export async function fastestAnswer<S, T>(
  stores: readonly GuardedStore<S>[],
  ask: AskStore<S, T>,
  { signal, action }: AskOptions,
): Promise<T | undefined> {
  signal?.throwIfAborted();
  const calls = stores.map(() => new LinkedAbort(signal));
  const failures: StoreFailure[] = [];
  const askOne = async (store: GuardedStore<S>, i: number): Promise<Answer<T>> => {
    const call = calls[i] as LinkedAbort;
    try {
      const value = await store.run((service, options) => ask(service, options, store), {
        signal: call.signal,
      });
      if (value !== undefined) return { value, from: i };
    } catch (error) {
      failures.push({ store: store.name, error });
    }
    throw NO_ANSWER;
  };
  try {
    const answer = await Promise.any(stores.map(askOne));
    // What the winner has given out may still be in use: only the calls of the others end.
    calls[answer.from]?.detach();
    calls.splice(answer.from, 1);
    return answer.value;
  } catch {
    signal?.throwIfAborted();
    if (failures.length > 0) throw failureOfStores(action, failures);
    return undefined;
  } finally {
    for (const call of calls) call.end(ANSWERED);
  }
}

interface Answer<T> {
  readonly value: T;
  readonly from: number;
}

/** What {@link fastestAnswer} rejects with inside for a store that has no answer. */
const NO_ANSWER = new Error("no answer");
