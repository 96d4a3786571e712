import { expect } from "vitest";
import type { Daemon } from "./start-daemon.js";
import { watchProcess } from "./watch-process.js";
import { Witness } from "./witness.js";

/** What an attack may cost over and above what the daemon takes at rest, in bytes: generous. */
const MEMORY_ALLOWANCE = 300 * 1024 * 1024;

/** How long a well-behaved client may have to wait for three calls, in milliseconds: generous. */
const PATIENCE_MS = 10_000;

let sieges = 0;

/**
 * Attacks the daemon. Meanwhile and afterwards a well-behaved client must be served, and memory must
 * stay within a bound.
 */
export async function besiege(daemon: Daemon, attack: () => Promise<void>): Promise<void> {
  const watch = watchProcess(daemon.pid);
  watch.forgetPeak();
  const before = watch.residentBytes();
  const witness = new Witness(`${daemon.host}:${daemon.port}`, ++sieges);
  let testimony: Awaited<ReturnType<Witness["testify"]>> | undefined;
  try {
    await attack();
  } finally {
    testimony = await witness.testify();
  }
  expect(testimony.failures).toEqual([]);
  expect(testimony.rounds).toBeGreaterThan(1);
  expect(testimony.slowestMs).toBeLessThan(PATIENCE_MS);
  expect(watch.peakResidentBytes() - before).toBeLessThan(MEMORY_ALLOWANCE);
}
