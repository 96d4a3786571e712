/** What the writer may hold of one stage before more of it has to wait. */
const MAX_STAGED_BYTES = 16 * 1024 * 1024;

/** What it may hold of all stages of a store, as long as each can have {@link MIN_STAGED_BYTES}. */
const MAX_STAGED_BYTES_OF_ALL = 64 * 1024 * 1024;

/** What each may have however many there are: none waits for another one. */
const MIN_STAGED_BYTES = 256 * 1024;

/** What the writer holds of all stages of a store. */
export interface StagedBytes {
  bytes: number;
}

/**
 * Follows writes that nobody waits for one by one. The writer takes them in order, so after one that failed
 * none succeeds.
 */
export class Stage {
  readonly #all: StagedBytes;
  readonly #underWay = new Set<Promise<void>>();
  #bytes = 0;
  #failure: { readonly error: unknown } | undefined;

  /** @param all - counts over all stages of a store */
  constructor(all: StagedBytes) {
    this.#all = all;
  }

  /**
   * Takes a write that the writer has been given; waits while too much is under way.
   *
   * @param written - fulfils when it is durable
   * @param bytes - that are held until then
   * @throws what failed first
   */
  async acknowledge(written: Promise<unknown>, bytes: number): Promise<void> {
    this.#count(bytes);
    const end = (): void => {
      this.#count(-bytes);
      this.#underWay.delete(done);
    };
    const fail = (error: unknown): void => {
      this.#failure ??= { error };
      end();
    };
    const done = written.then(end, fail);
    this.#underWay.add(done);
    while (this.#hasTooMuch()) await Promise.race(this.#underWay);
    this.#throwFailure();
  }

  /**
   * Waits until all that was taken is durable.
   *
   * @throws what failed first
   */
  async durable(): Promise<void> {
    await Promise.all(this.#underWay);
    this.#throwFailure();
  }

  #hasTooMuch(): boolean {
    const areMany = this.#all.bytes > MAX_STAGED_BYTES_OF_ALL;
    return this.#bytes > (areMany ? MIN_STAGED_BYTES : MAX_STAGED_BYTES);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#all.bytes += bytes;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
