import { expect } from "vitest";
import type { Daemon } from "./start-daemon.js";
import { watchProcess } from "./watch-process.js";
import { Witness } from "./witness.js";

/** What an attack may cost over and above what the daemon takes at rest, in bytes: generous. */
const MEMORY_ALLOWANCE = 300 * 1024 * 1024;

/** How long a well-behaved client may have to wait for three calls, in milliseconds: generous. */
const PATIENCE_MS = 10_000;

let sieges = 0;

export interface SiegeOptions {
  /** What the attack may cost over and above what the daemon takes before it, in bytes. */
  readonly memoryBytes?: number;
  /** How long a well-behaved client may have to wait for three calls, in milliseconds. */
  readonly patienceMs?: number;
}

/**
 * Attacks the daemon. Meanwhile and afterwards a well-behaved client must be served, memory must stay
 * within a bound, and Node must have nothing to warn of (listeners that pile up, for one).
 */
export async function besiege(
  daemon: Daemon,
  attack: () => Promise<void>,
  { memoryBytes = MEMORY_ALLOWANCE, patienceMs = PATIENCE_MS }: SiegeOptions = {},
): Promise<void> {
  const witness = new Witness(`${daemon.host}:${daemon.port}`, ++sieges);
  await witness.begun;
  const watch = watchProcess(daemon.pid);
  watch.forgetPeak();
  const before = watch.residentBytes();
  let testimony: Awaited<ReturnType<Witness["testify"]>> | undefined;
  try {
    await attack();
  } finally {
    testimony = await witness.testify();
  }
  const grown = watch.peakResidentBytes() - before;
  expect(testimony.failures).toEqual([]);
  expect(testimony.rounds).toBeGreaterThan(1);
  expect(testimony.slowestMs).toBeLessThan(patienceMs);
  expect(grown).toBeLessThan(memoryBytes);
  expect(warningsOf(daemon)).toEqual([]);
}

/** What Node warns of on standard error: `(node:1) MaxListenersExceededWarning: ...`, for one. */
export function warningsOf(daemon: Daemon): readonly string[] {
  return daemon.log().match(/^.*Warning: .*$/gm) ?? [];
}
