import { abortable } from "../blobservice/abortable.js";
import type { CallOptions } from "../blobservice/blob-service.js";
import { type Clock, SYSTEM_CLOCK } from "../clock.js";
import { CastoreError } from "../errors.js";
import { LinkedAbort } from "../linked-abort.js";
import { orAbort } from "../or-abort.js";

/** How long a store is waited for. */
export interface TimeoutOptions extends CallOptions {
  /** In milliseconds; for ever by default. */
  readonly timeoutMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /** Of the store, for messages. */
  readonly name: string;
}

export interface StreamTimeoutOptions<T> extends TimeoutOptions {
  /**
   * Length of an item in bytes. Where it is given, the time that a stream makes its consumer wait altogether is
   * limited as well, to `timeoutMs` and a second for each `minBytesPerSecond` that have come: a store that sends a
   * byte now and then is as good as one that sends nothing.
   */
  readonly bytesOf?: ((item: T) => number) | undefined;
  /** 1,024 by default. */
  readonly minBytesPerSecond?: number | undefined;
}

/** Slower than any line that somebody would want to read a store over. */
const MIN_BYTES_PER_SECOND = 1024;

/**
 * Does `work`, and gives it up after some time. Its signal aborts with that of the caller, and when the time is
 * over; nobody waits for work that does not heed it.
 *
 * @throws {@link CastoreError} "UNAVAILABLE" when the time is over
 */
export async function withTimeout<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { timeoutMs, clock = SYSTEM_CLOCK, name, signal }: TimeoutOptions,
): Promise<T> {
  signal?.throwIfAborted();
  const call = new LinkedAbort(signal);
  const stopTimer =
    timeoutMs === undefined
      ? undefined
      : clock.after(timeoutMs, () => call.end(timedOut(name, timeoutMs)));
  try {
    return await orAbort(work(call.signal), call.signal);
  } finally {
    stopTimer?.();
    // What came of the work may still be in use, so that its signal does not abort any more.
    call.detach();
  }
}

/**
 * What a store streams, given up where it makes its consumer wait for too long. The time that the consumer takes
 * for itself does not count. Leaving the stream closes it.
 *
 * @throws {@link CastoreError} "UNAVAILABLE" when the time is over
 */
export async function* streamWithTimeout<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  options: StreamTimeoutOptions<T>,
): AsyncGenerator<T, void, undefined> {
  const { timeoutMs, clock = SYSTEM_CLOCK, name, signal, bytesOf } = options;
  const rate = options.minBytesPerSecond ?? MIN_BYTES_PER_SECOND;
  signal?.throwIfAborted();
  const call = new LinkedAbort(signal);
  const items = abortable(open(call.signal), call.signal);
  let allowance = timeoutMs ?? 0;
  const next = async (): Promise<IteratorResult<T, void>> => {
    if (timeoutMs === undefined) return await items.next();
    const begun = clock.now();
    const patience = Math.min(timeoutMs, Math.max(0, allowance));
    const stopTimer = clock.after(patience, () => call.end(timedOut(name, timeoutMs)));
    try {
      return await items.next();
    } finally {
      stopTimer();
      if (bytesOf !== undefined) allowance -= clock.now() - begun;
    }
  };
  try {
    for (;;) {
      const item = await next();
      if (item.done === true) return;
      if (bytesOf !== undefined) allowance += (bytesOf(item.value) * 1000) / rate;
      yield item.value;
    }
  } finally {
    call.end();
    await items.return();
  }
}

/** @internal */
export function timedOut(name: string, timeoutMs: number): CastoreError {
  return new CastoreError("UNAVAILABLE", `Cannot reach ${name}: no answer for ${timeoutMs} ms`);
}
