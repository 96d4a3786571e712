/**
 * Where a daemon is in its life. It only goes on, except that reloading ends in "ready" again.
 *
 * - "starting": the store is being opened
 * - "ready": calls are served
 * - "reloading": they are, while files are read again
 * - "draining": no new calls; those that have begun go on
 * - "stopped": everything is closed
 */
export type LifeState = "starting" | "ready" | "reloading" | "draining" | "stopped";

const NEXT: Readonly<Record<LifeState, readonly LifeState[]>> = {
  starting: ["ready", "draining", "stopped"],
  ready: ["reloading", "draining"],
  reloading: ["ready", "draining"],
  draining: ["stopped"],
  stopped: [],
};

/** The state of a daemon, and who wants to know of it. */
export class Life {
  #state: LifeState = "starting";
  readonly #listeners: ((state: LifeState) => void)[] = [];

  get state(): LifeState {
    return this.#state;
  }

  /** Whether calls are served. */
  get isServing(): boolean {
    return this.#state === "ready" || this.#state === "reloading";
  }

  /** Calls `listener` after each change, in the order in which listeners were added. */
  onChange(listener: (state: LifeState) => void): void {
    this.#listeners.push(listener);
  }

  /** @throws TypeError for a step that there is not: a mistake of ours */
  become(state: LifeState): void {
    if (!NEXT[this.#state].includes(state)) {
      throw new TypeError(`A daemon that is ${this.#state} cannot become ${state}`);
    }
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }
}
