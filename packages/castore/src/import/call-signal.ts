import { setMaxListeners } from "node:events";

/**
 * A signal for the many calls of one import: Node warns when more than ten at a time listen to one, as to
 * the caller's. Aborts when that does.
 */
export class CallSignal {
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#controller.abort(this.#parent?.reason);

  constructor(parent: AbortSignal | undefined) {
    this.#parent = parent;
    setMaxListeners(0, this.signal);
    if (parent?.aborted === true) this.#onAbort();
    else parent?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Leaves no listener behind. */
  end(): void {
    this.#parent?.removeEventListener("abort", this.#onAbort);
  }
}
