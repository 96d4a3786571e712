import { orAbort } from "./or-abort.js";

/** Work under way, for all who asked for it meanwhile. */
interface Flight<T> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
  hasLanded: boolean;
}

/** Does the same work only once at a time. It is given up when nobody waits for it any more. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /**
   * The result of `work`, or of the work that is under way for `key`.
   *
   * @param work - is told when nobody waits any more
   * @throws the reason of `signal` when that aborts; others who wait do not notice
   */
  async run(
    key: string,
    work: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted();
    const flight = this.#find(key) ?? this.#start(key, work);
    flight.waiting++;
    try {
      return await orAbort(flight.result, signal);
    } finally {
      flight.waiting--;
      if (flight.waiting === 0 && !flight.hasLanded) flight.controller.abort();
    }
  }

  /** One that is given up has not always ended by now. */
  #find(key: string): Flight<T> | undefined {
    const flight = this.#flights.get(key);
    return flight?.controller.signal.aborted === true ? undefined : flight;
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const flight: Flight<T> = {
      result: work(controller.signal),
      controller,
      waiting: 0,
      hasLanded: false,
    };
    this.#flights.set(key, flight);
    const land = (): void => {
      flight.hasLanded = true;
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    flight.result.then(land, land);
    return flight;
  }
}
