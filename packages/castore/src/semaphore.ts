import { onAbort } from "./on-abort.js";

/** Who waits for room, and how much of it. */
interface Waiting {
  readonly weight: number;
  enter(): void;
}

/** Lets in what fits within a limit, first come, first served: so many holders, or so much of anything. */
export class Semaphore {
  readonly #limit: number;
  #free: number;
  readonly #waiting = new Set<Waiting>();

  constructor(limit: number) {
    this.#limit = limit;
    this.#free = limit;
  }

  /**
   * Waits for room.
   *
   * @param weight - how much; what weighs more than the limit has all of it to itself
   * @returns gives it back; calling it again does nothing
   */
  async acquire(signal?: AbortSignal, weight = 1): Promise<() => void> {
    signal?.throwIfAborted();
    const taken = Math.min(weight, this.#limit);
    if (this.#waiting.size === 0 && taken <= this.#free) this.#free -= taken;
    else await this.#wait(taken, signal);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#free += taken;
      this.#letIn();
    };
  }

  /** Does `work` in a place. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(signal);
    try {
      return await work();
    } finally {
      release();
    }
  }

  #wait(weight: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        weight,
        enter: () => {
          stopListening?.();
          resolve();
        },
      };
      const stopListening =
        signal &&
        onAbort(signal, () => {
          stopListening?.();
          this.#waiting.delete(waiting);
          reject(signal.reason);
          // Those behind may need less.
          this.#letIn();
        });
      this.#waiting.add(waiting);
    });
  }

  /** Whoever waits longest is next, also where somebody behind would fit already. */
  #letIn(): void {
    for (const waiting of this.#waiting) {
      if (waiting.weight > this.#free) return;
      this.#waiting.delete(waiting);
      this.#free -= waiting.weight;
      waiting.enter();
    }
  }
}
