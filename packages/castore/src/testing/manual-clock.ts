import type { Clock } from "../clock.js";

/** Time that passes only when a test says so. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #timers = new Map<object, { readonly at: number; readonly fire: () => void }>();

  now(): number {
    return this.#now;
  }

  /** Timers that have neither fired nor been prevented. */
  get pending(): number {
    return this.#timers.size;
  }

  after(milliseconds: number, fire: () => void): () => void {
    const timer = {};
    this.#timers.set(timer, { at: this.#now + milliseconds, fire });
    return () => this.#timers.delete(timer);
  }

  /** Lets time pass, and what is due by then fire. */
  advance(milliseconds: number): void {
    this.#now += milliseconds;
    for (const [timer, { at, fire }] of [...this.#timers]) {
      if (at <= this.#now && this.#timers.delete(timer)) fire();
    }
  }
}
