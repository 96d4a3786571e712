import { onAbort } from "./on-abort.js";

/** Why calls end that are through. Shared: to make an error takes longer than to make a small call. */
const ENDED = new DOMException("The call has ended", "AbortError");

/** Aborts when its parent does or when {@link end} is called, and leaves no listener behind. */
export class LinkedAbort {
  readonly #controller = new AbortController();
  readonly #stopListening: (() => void) | undefined;

  constructor(parent: AbortSignal | undefined) {
    const abort = (): void => this.#controller.abort(parent?.reason);
    if (parent?.aborted === true) abort();
    else this.#stopListening = parent && onAbort(parent, abort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Listens to the parent no longer; whoever has the signal is left alone. */
  detach(): void {
    this.#stopListening?.();
  }

  /** @param reason - what {@link signal} says when nothing has aborted it before */
  end(reason: unknown = ENDED): void {
    this.#stopListening?.();
    this.#controller.abort(reason);
  }
}
