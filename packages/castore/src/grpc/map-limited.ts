import type { CallOptions } from "../blobservice/blob-service.js";
import { onAbort } from "../on-abort.js";

/**
 * Runs `run` for every item, at most `limit` at a time; the results come in the order of the items. The
 * first failure ends all that run, and is thrown when they have ended.
 */
export async function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
  run: (item: T, options: { readonly signal: AbortSignal }) => Promise<R>,
  { signal }: CallOptions = {},
): Promise<R[]> {
  signal?.throwIfAborted();
  const running = new Set<AbortController>();
  const cancelAll = (reason: unknown): void => {
    for (const call of running) call.abort(reason);
  };
  const stopListening = signal && onAbort(signal, () => cancelAll(signal.reason));
  const results: R[] = new Array(items.length);
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const work = async (): Promise<void> => {
    while (next < items.length && failure === undefined) {
      const i = next++;
      // Each has a signal of its own: Node warns of many listeners at one.
      const call = new AbortController();
      running.add(call);
      try {
        signal?.throwIfAborted();
        results[i] = await run(items[i] as T, { signal: call.signal });
      } catch (error) {
        failure ??= { error };
        cancelAll(error);
      } finally {
        running.delete(call);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work));
  } finally {
    stopListening?.();
  }
  if (failure !== undefined) throw failure.error;
  return results;
}
