import { orAbort } from "../or-abort.js";

/** Where a source is: waiting for our next step, or us for its answer, or through. */
type SourceState = "idle" | "busy" | "ended";

/**
 * Yields what `source` yields until `signal` aborts, then rejects with the signal's reason, even
 * while the source keeps it waiting. The source is closed on every path, also when the signal had
 * aborted before the first step. To be consumed by `for await` at once: a generator that is never
 * started closes nothing.
 */
export async function* abortable<T>(
  source: AsyncIterable<T> | Iterable<T>,
  signal?: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const iterator = open(source);
  let state: SourceState = "idle";
  try {
    for (;;) {
      signal?.throwIfAborted();
      state = "busy";
      const result = await orAbort(iterator.next(), signal);
      state = result.done === true ? "ended" : "idle";
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    await close(iterator, state, signal?.aborted === true);
  }
}

function open<T>(source: AsyncIterable<T> | Iterable<T>): AsyncIterator<T> | Iterator<T> {
  return Symbol.asyncIterator in source
    ? source[Symbol.asyncIterator]()
    : source[Symbol.iterator]();
}

async function close(
  iterator: AsyncIterator<unknown> | Iterator<unknown>,
  state: SourceState,
  aborted: boolean,
): Promise<void> {
  if (state === "ended") return;
  if (!aborted) {
    // A source that failed has ended by that.
    if (state === "idle") await iterator.return?.();
    return;
  }
  // The reason of the signal is what is reported, so how closing fails does not matter. A busy source
  // may answer late or never (a generator finishes its step first): nobody waits for that.
  const closed = Promise.resolve(iterator.return?.()).catch(() => {});
  if (state === "idle") await closed;
}
