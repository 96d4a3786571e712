/** What the writer may hold of one stage before more of it has to wait. */
const MAX_STAGED_BYTES = 16 * 1024 * 1024;

/**
 * Follows writes that nobody waits for one by one. The writer takes them in order, so after one that failed
 * none succeeds.
 */
export class Stage {
  readonly #underWay = new Set<Promise<void>>();
  #bytes = 0;
  #failure: { readonly error: unknown } | undefined;

  /**
   * Takes a write that the writer has been given; waits while too much is under way.
   *
   * @param written - fulfils when it is durable
   * @param bytes - that are held until then
   * @throws what failed first
   */
  async acknowledge(written: Promise<unknown>, bytes: number): Promise<void> {
    this.#bytes += bytes;
    const end = (): void => {
      this.#bytes -= bytes;
      this.#underWay.delete(done);
    };
    const fail = (error: unknown): void => {
      this.#failure ??= { error };
      end();
    };
    const done = written.then(end, fail);
    this.#underWay.add(done);
    while (this.#bytes > MAX_STAGED_BYTES) await Promise.race(this.#underWay);
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

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
