import { Code, ConnectError } from "@connectrpc/connect";
import type { CallOptions } from "../blobservice/blob-service.js";
import { type Clock, SYSTEM_CLOCK } from "../clock.js";
import { orAbort } from "../or-abort.js";

/** When calls that may be repeated without harm are. */
export interface RetryPolicy {
  /** Waits before each new attempt, in milliseconds; there are as many attempts more. */
  readonly delaysMs: readonly number[];
  readonly clock: Clock;
  /** From 0 up to 1, for waits of half of what is said to one and a half: clients of one server shall not come together. */
  random(): number;
}

/** For a connection that broke, and for a short restart. */
const RETRY_POLICY: RetryPolicy = {
  delaysMs: [0, 100],
  clock: SYSTEM_CLOCK,
  random: () => Math.random(),
};

/** Does `work` again, after some waiting, as long as it fails because the other side cannot be reached. */
export async function retrying<T>(
  work: () => Promise<T>,
  { signal }: CallOptions,
  policy: RetryPolicy = RETRY_POLICY,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      await waitBeforeRetry(error, attempt, signal, policy);
    }
  }
}

/**
 * Waits until a call may be made again.
 *
 * @param attempt - how often it has been made again before
 * @throws `error` when it shall not be made again, the reason of `signal` when that aborts
 */
export async function waitBeforeRetry(
  error: unknown,
  attempt: number,
  signal: AbortSignal | undefined,
  policy: RetryPolicy = RETRY_POLICY,
): Promise<void> {
  const delay = policy.delaysMs[attempt];
  if (delay === undefined || !isStatus(error, Code.Unavailable)) throw error;
  let stop = (): void => {};
  try {
    const waited = new Promise<void>((resolve) => {
      stop = policy.clock.after(delay * (0.5 + policy.random()), resolve);
    });
    await orAbort(waited, signal);
  } finally {
    stop();
  }
}

/** Whether `error` is a failed call with that status. */
export function isStatus(error: unknown, code: Code): boolean {
  return error instanceof ConnectError && error.code === code;
}
