import type { CallOptions } from "../blobservice/blob-service.js";

/** How a {@link Grouped} forms its groups. */
export interface Grouping<T> {
  /** Groups under way at a time, of one signal. */
  readonly maxUnderWay: number;
  /** A group ends before an item that would bring it above this; a caller's items stay together. */
  readonly maxSize: number;
  sizeOf(items: readonly T[]): number;
}

/** Items of one caller, and how to answer it. */
interface Waiting<T, R> {
  readonly items: readonly T[];
  resolve(results: R[] | undefined): void;
  reject(error: unknown): void;
}

/** What waits of one signal, and how many groups of it are under way. */
interface Queue<T, R> {
  readonly waiting: Waiting<T, R>[];
  underWay: number;
}

/**
 * Puts what callers ask for at the same time into one call: the first ones go at once, and whatever comes
 * while they are under way waits and goes together.
 *
 * Only callers with the same signal share a call: what ends one of them ends them all, and a call that fails
 * fails for all that share it. Those without a signal are on their own.
 */
export class Grouped<T, R> {
  readonly #run: (items: readonly T[], options: CallOptions) => Promise<R[] | undefined>;
  readonly #grouping: Grouping<T>;
  readonly #queues = new WeakMap<AbortSignal, Queue<T, R>>();

  /** @param run - answers with one result for each item, or with none at all */
  constructor(
    run: (items: readonly T[], options: CallOptions) => Promise<R[] | undefined>,
    grouping: Grouping<T>,
  ) {
    this.#run = run;
    this.#grouping = grouping;
  }

  run(items: readonly T[], { signal }: CallOptions): Promise<R[] | undefined> {
    if (signal === undefined) return this.#run(items, {});
    const queue = this.#queues.get(signal) ?? { waiting: [], underWay: 0 };
    this.#queues.set(signal, queue);
    return new Promise((resolve, reject) => {
      queue.waiting.push({ items, resolve, reject });
      this.#start(queue, signal);
    });
  }

  #start(queue: Queue<T, R>, signal: AbortSignal): void {
    if (queue.waiting.length === 0 || queue.underWay === this.#grouping.maxUnderWay) return;
    const group = this.#take(queue.waiting);
    queue.underWay += 1;
    void this.#answer(group, signal).finally(() => {
      queue.underWay -= 1;
      this.#start(queue, signal);
    });
  }

  #take(waiting: Waiting<T, R>[]): Waiting<T, R>[] {
    const { maxSize, sizeOf } = this.#grouping;
    let size = 0;
    let count = 0;
    for (const { items } of waiting) {
      size += sizeOf(items);
      if (count > 0 && size > maxSize) break;
      count += 1;
    }
    return waiting.splice(0, count);
  }

  async #answer(group: readonly Waiting<T, R>[], signal: AbortSignal): Promise<void> {
    try {
      const results = await this.#run(
        group.flatMap(({ items }) => items),
        { signal },
      );
      let end = 0;
      for (const { items, resolve } of group) {
        end += items.length;
        resolve(results?.slice(end - items.length, end));
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}
