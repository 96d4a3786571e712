import { type Clock, SYSTEM_CLOCK } from "@tvix/castore";
import { sleep } from "./sleep.js";
import { UpstreamError } from "./upstream-error.js";

/** How often, and after which pauses, what failed is tried again. */
export interface RetryPolicy {
  /** Failures in a row until it is given up; 5 by default, 1 never tries again. */
  readonly attempts?: number;
  /** Pause after the first failure, in milliseconds; each is twice as long as the one before. 250 by default. */
  readonly firstPause?: number;
  /** Longest pause in milliseconds; 10,000 by default. */
  readonly longestPause?: number;
  /** Longest wish of a server (`Retry-After`) that is granted, in milliseconds; 60,000 by default. */
  readonly longestRetryAfter?: number;
  /** From 0 up to 1, not included; spreads the pauses of many clients. `Math.random` by default. */
  readonly random?: () => number;
  readonly clock?: Clock;
}

/** Failures of one task in all, however much it got done in between. */
const MAX_FAILURES = 50;

/** Counts the failures of one task, and waits after each. */
export class Attempts {
  readonly #policy: Required<RetryPolicy>;
  readonly #signal: AbortSignal | undefined;
  #inARow = 0;
  #total = 0;

  constructor(policy: RetryPolicy, signal: AbortSignal | undefined) {
    const defaults = {
      attempts: 5,
      firstPause: 250,
      longestPause: 10_000,
      longestRetryAfter: 60_000,
      random: Math.random,
      clock: SYSTEM_CLOCK,
    };
    this.#policy = { ...defaults, ...policy };
    this.#signal = signal;
  }

  /** Something came since the last failure: whoever is there deserves more patience. */
  progress(): void {
    this.#inARow = 0;
  }

  /** Waits until it is time for another attempt. @throws `error` when there is to be none */
  async after(error: unknown): Promise<void> {
    this.#signal?.throwIfAborted();
    if (!(error instanceof UpstreamError) || !error.transient) throw error;
    this.#inARow++;
    this.#total++;
    const { attempts, longestRetryAfter, clock } = this.#policy;
    if (this.#inARow >= attempts || this.#total >= MAX_FAILURES) throw error;
    const { retryAfter = 0 } = error;
    if (retryAfter > longestRetryAfter) throw error;
    await sleep(clock, Math.max(this.#pause(), retryAfter), this.#signal);
  }

  /** Between half and all of the pause that it is time for. */
  #pause(): number {
    const { firstPause, longestPause, random } = this.#policy;
    const pause = Math.min(longestPause, firstPause * 2 ** (this.#inARow - 1));
    return pause * (0.5 + random() / 2);
  }
}

/** Does `work`, again and again where a failure may pass. */
export async function withRetries<T>(attempts: Attempts, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      await attempts.after(error);
    }
  }
}

/** What `Retry-After` asks for, seconds or a date, in milliseconds; `undefined` where it makes no sense. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return 1000 * Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
