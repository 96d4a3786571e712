/**
 * Where a daemon is in its life. It only goes on, except that reloading ends in "ready" again.
 *
 * - "starting": the store is being opened
 * - "listening": calls are served on the addresses that are there so far
 * - "ready": calls are served on all addresses
 * - "reloading": they are, while files are read again
 * - "draining": no new calls; those that have begun go on
 * - "stopped": everything is closed
 */
export type LifeState = "starting" | "listening" | "ready" | "reloading" | "draining" | "stopped";

const NEXT: Readonly<Record<LifeState, readonly LifeState[]>> = {
  starting: ["listening"],
  listening: ["ready", "draining"],
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
    return ["listening", "ready", "reloading"].includes(this.#state);
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
