/** What peers can make a log grow by. */
export interface LineBudgetOptions {
  /** Lines in one window. */
  readonly lines: number;
  readonly windowMs: number;
  /** Milliseconds that only grow. */
  readonly now?: () => number;
}

/**
 * Bounds the lines that peers can cause: calls that fail are told, but a flood of them must not fill a
 * disk.
 */
export class LineBudget {
  readonly #options: Required<LineBudgetOptions>;
  #windowStart: number;
  #used = 0;

  constructor(options: LineBudgetOptions) {
    this.#options = { now: () => performance.now(), ...options };
    this.#windowStart = this.#options.now();
  }

  /**
   * Asks for a line.
   *
   * @returns whether it may be written, and how many were not since the last one that was
   */
  take(): { readonly granted: boolean; readonly suppressed: number } {
    const { now, lines, windowMs } = this.#options;
    let suppressed = 0;
    if (now() - this.#windowStart >= windowMs) {
      suppressed = Math.max(this.#used - lines, 0);
      this.#windowStart = now();
      this.#used = 0;
    }
    this.#used++;
    return { granted: this.#used <= lines, suppressed };
  }
}
