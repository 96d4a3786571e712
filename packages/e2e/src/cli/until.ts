import { setImmediate } from "node:timers/promises";

/** Waits until `condition` holds; fails after half a minute. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Waited in vain for ${condition}`);
    await setImmediate();
  }
}
