import type { Diagnostics } from "./diagnostics.js";

/** Least time between two drawings. */
const REDRAW_MS = 100;

export interface ProgressOptions {
  /** Never shows anything; false by default. */
  readonly hidden?: boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

/** Redraws a status line at most ten times a second, however often it is told something new. */
export class Progress implements Disposable {
  readonly #stderr: Diagnostics;
  readonly #now: () => number;
  /** Whether anybody sees it. */
  readonly isShown: boolean;
  #drawn = Number.NEGATIVE_INFINITY;

  constructor(stderr: Diagnostics, options: ProgressOptions = {}) {
    this.#stderr = stderr;
    this.#now = options.now ?? (() => performance.now());
    this.isShown = stderr.isTerminal && options.hidden !== true;
  }

  /** Shows what `render` returns, unless the line was drawn only just now. */
  update(render: () => string): void {
    if (!this.isShown) return;
    const now = this.#now();
    if (now - this.#drawn < REDRAW_MS) return;
    this.#drawn = now;
    this.#stderr.status(render());
  }

  /** Removes the line. */
  [Symbol.dispose](): void {
    if (this.isShown) this.#stderr.status("");
  }
}
