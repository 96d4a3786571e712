import { setImmediate } from "node:timers/promises";

/** How long one piece of work may keep all others waiting, in milliseconds. */
const TURN_MS = 10;

/**
 * Divides long work into turns. What is at hand is read without waiting, so a loop over a million small
 * records would never let anybody else run, however often it awaits.
 *
 * @internal
 */
export class Turns {
  #began = performance.now();

  /** Lets others run when this turn has been long enough. */
  async next(): Promise<void> {
    if (performance.now() - this.#began < TURN_MS) return;
    await setImmediate();
    this.#began = performance.now();
  }
}
