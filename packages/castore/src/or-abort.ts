import { onAbort } from "./on-abort.js";

/** Settles like `result`, or rejects with the reason of `signal` when that aborts first. */
export async function orAbort<T>(
  result: T | Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await result;
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
  });
  const stopListening = onAbort(signal, abort);
  // The step itself may have aborted it, before we listened.
  if (signal.aborted) abort();
  try {
    return await Promise.race([result, aborted]);
  } finally {
    stopListening();
  }
}
