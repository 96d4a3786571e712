/** Lets a burst through, and then so many per second. */
export class LeakyBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  #level = 0;
  #at: number = performance.now();

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
  }

  /** Counts one. Returns whether it still is within the limits. */
  add(): boolean {
    const now = performance.now();
    this.#level = Math.max(0, this.#level - ((now - this.#at) / 1000) * this.#perSecond) + 1;
    this.#at = now;
    return this.#level <= this.#burst;
  }
}
