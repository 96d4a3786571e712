import { setTimeout as delay } from "node:timers/promises";

/** Between two looks, in ms: the program that is waited for needs the processors itself. */
const PAUSE_MS = 5;

/** How long something may take on a machine that is busy with other things, in ms. */
const PATIENCE_MS = 60_000;

/** Waits until `condition` holds; fails after a minute. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Waited in vain for ${condition}`);
    await delay(PAUSE_MS);
  }
}
