/** One who reads what a {@link Tee} gives. */
export interface TeeBranch<T> extends AsyncIterable<T> {
  /** Takes no more: the others need not wait for it. What it waits for rejects with `reason`, or is over. */
  leave(reason?: unknown): void;
}

/** What a branch waits for, or has come to. */
interface Place<T> {
  asks: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void } | undefined;
  left: { readonly reason: unknown } | undefined;
}

/**
 * Gives a source that can be read once to several readers. They go in step: the next item is asked for when all
 * have used up the one before, so that nothing is held in between, and the slowest sets the pace. To close
 * the source is for the caller.
 */
export class Tee<T> {
  readonly #source: AsyncIterator<T>;
  readonly #places = new Set<Place<T>>();
  #isPulling = false;
  #end: { readonly error?: unknown; readonly failed: boolean } | undefined;

  constructor(source: AsyncIterable<T>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Another reader. All have to be there before the first item is asked for. */
  branch(): TeeBranch<T> {
    const place: Place<T> = { asks: undefined, left: undefined };
    this.#places.add(place);
    const leave = (reason?: unknown): void => this.#leave(place, reason);
    return {
      leave,
      [Symbol.asyncIterator]: () => ({
        next: () => this.#ask(place),
        return: async () => {
          leave();
          return { done: true, value: undefined };
        },
      }),
    };
  }

  #ask(place: Place<T>): Promise<IteratorResult<T>> {
    return new Promise((resolve, reject) => {
      place.asks = { resolve, reject };
      if (place.left !== undefined) this.#dismiss(place, place.left.reason);
      else if (this.#end !== undefined) this.#finish(place);
      else this.#pull();
    });
  }

  #leave(place: Place<T>, reason: unknown): void {
    place.left ??= { reason };
    this.#places.delete(place);
    this.#dismiss(place, reason);
    this.#pull();
  }

  #dismiss(place: Place<T>, reason: unknown): void {
    if (reason === undefined) place.asks?.resolve({ done: true, value: undefined });
    else place.asks?.reject(reason);
    place.asks = undefined;
  }

  #finish(place: Place<T>): void {
    if (this.#end?.failed === true) place.asks?.reject(this.#end.error);
    else place.asks?.resolve({ done: true, value: undefined });
    place.asks = undefined;
  }

  /** Asks the source when all who are left wait for it. */
  #pull(): void {
    if (this.#isPulling || this.#end !== undefined || this.#places.size === 0) return;
    for (const { asks } of this.#places) if (asks === undefined) return;
    this.#isPulling = true;
    this.#source.next().then(
      (result) => this.#give(result),
      (error: unknown) => this.#stop({ error, failed: true }),
    );
  }

  #give(result: IteratorResult<T>): void {
    if (result.done === true) {
      this.#stop({ failed: false });
      return;
    }
    this.#isPulling = false;
    for (const place of this.#places) {
      const { asks } = place;
      place.asks = undefined;
      asks?.resolve(result);
    }
  }

  #stop(end: { readonly error?: unknown; readonly failed: boolean }): void {
    this.#isPulling = false;
    this.#end = end;
    for (const place of this.#places) this.#finish(place);
  }
}
