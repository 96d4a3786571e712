/** The `grpc-timeout` header: at most 8 digits and a unit. */

import { Code, ConnectError } from "@connectrpc/connect";

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** Largest number that fits the 8 digits of the header. */
const MAX_DIGITS = 99_999_999;

/** Longest delay a Node timer takes; longer ones would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Milliseconds a `grpc-timeout` header grants.
 *
 * @throws ConnectError with InvalidArgument when the header is malformed
 */
export function parseTimeout(header: string): number {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(header) ?? [];
  const unitMs = UNIT_MS[unit ?? ""];
  if (digits === undefined || unitMs === undefined) {
    throw new ConnectError(
      `Cannot read grpc-timeout ${JSON.stringify(header)}`,
      Code.InvalidArgument,
    );
  }
  return Math.min(Number(digits) * unitMs, MAX_TIMER_MS);
}

/** The `grpc-timeout` header for a number of milliseconds, rounded up to what it can say. */
export function formatTimeout(timeoutMs: number): string {
  if (timeoutMs <= MAX_DIGITS) {
    return `${Math.max(1, Math.ceil(timeoutMs))}m`;
  }
  const seconds = Math.ceil(timeoutMs / 1000);
  return seconds <= MAX_DIGITS ? `${seconds}S` : `${MAX_DIGITS}H`;
}

/** Starts a timer for at most what Node's timers can hold. */
export function startTimer(callback: () => void, ms: number): NodeJS.Timeout {
  return setTimeout(callback, Math.min(ms, MAX_TIMER_MS));
}
