/** What all ingestions of a process may have under way together, in bytes, before each gets by with little. */
const MAX_BYTES_OF_ALL = 64 * 1024 * 1024;

/** What each may have under way however many there are: none waits for another one. */
const MIN_BYTES_OF_EACH = 256 * 1024;

/** Bytes that are under way, counted over all that goes on at the same time. */
export class IngestBudget {
  #bytes = 0;

  /** Whether so much is under way that nobody should begin more than it must. */
  get isTight(): boolean {
    return this.#bytes > MAX_BYTES_OF_ALL;
  }

  /**
   * Whether one that has so many bytes under way has to wait until some of them are not any more.
   *
   * @param most - what it may have if it is alone
   */
  mustWait(bytes: number, most: number): boolean {
    return bytes > (this.isTight ? MIN_BYTES_OF_EACH : most);
  }

  /** @param bytes - more that are under way; negative when they are not any more */
  add(bytes: number): void {
    this.#bytes += bytes;
  }
}

/** Memory belongs to the process, so one counts for all ingestions in it. */
export const PROCESS_BUDGET: IngestBudget = new IngestBudget();
