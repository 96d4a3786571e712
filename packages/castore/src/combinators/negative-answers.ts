import { type Clock, SYSTEM_CLOCK } from "../clock.js";

/** Most answers that are remembered; the oldest goes first. */
const MAX_ANSWERS = 100_000;

/** Remembers for a while what a store does not have. */
export class NegativeAnswers {
  readonly #until = new Map<string, number>();
  readonly #timeToLive: number;
  readonly #clock: Clock;

  /** @param timeToLive - in milliseconds; 0 remembers nothing */
  constructor(timeToLive: number, clock: Clock = SYSTEM_CLOCK) {
    this.#timeToLive = timeToLive;
    this.#clock = clock;
  }

  add(key: string): void {
    if (this.#timeToLive <= 0) return;
    this.#until.delete(key);
    this.#until.set(key, this.#clock.now() + this.#timeToLive);
    const [oldest] = this.#until.keys();
    if (this.#until.size > MAX_ANSWERS && oldest !== undefined) this.#until.delete(oldest);
  }

  has(key: string): boolean {
    const until = this.#until.get(key);
    if (until === undefined) return false;
    if (this.#clock.now() < until) return true;
    this.#until.delete(key);
    return false;
  }

  /** Forgets one: the store has it now. */
  delete(key: string): void {
    this.#until.delete(key);
  }
}
