import { type DirectoryEntry, orAbort, type RootNodes } from "@tvix/castore";

/**
 * One pass over the root nodes. They are pulled as far as somebody reads, and kept, so that reading can go back and a
 * node that did not fit into an answer is not lost.
 */
export class RootListing {
  readonly #roots: RootNodes;
  readonly #controller = new AbortController();
  readonly #source: AsyncIterator<DirectoryEntry>;
  readonly #entries: DirectoryEntry[] = [];
  #isComplete = false;
  /** Pulls come one after the other: two at a time would see each other's entries. */
  #pulling: Promise<void> = Promise.resolve();

  constructor(roots: RootNodes) {
    this.#roots = roots;
    this.#source = roots.list({ signal: this.#controller.signal })[Symbol.asyncIterator]();
  }

  /** Whether nothing was pulled yet. */
  get isFresh(): boolean {
    return this.#entries.length === 0 && !this.#isComplete;
  }

  /** Another pass, which sees what has come and gone. */
  again(): RootListing {
    this.close();
    return new RootListing(this.#roots);
  }

  /** Entry `i`, where it was pulled already. */
  peek(i: number): DirectoryEntry | undefined {
    return this.#entries[i];
  }

  /**
   * Entry `i`; `undefined` behind the last one.
   *
   * @throws what the root nodes throw, then and ever after; the reason of `signal` when that aborts, which others
   *   do not notice
   */
  async pull(i: number, signal: AbortSignal): Promise<DirectoryEntry | undefined> {
    const pulled = this.#pulling.then(() => this.#pullTo(i));
    this.#pulling = pulled;
    // Who waits for a later one fails by itself.
    pulled.catch(() => {});
    await orAbort(pulled, signal);
    return this.#entries[i];
  }

  /** Ends the pass. */
  close(): void {
    this.#controller.abort();
    // It may have been waiting, and reject for being aborted.
    Promise.resolve(this.#source.return?.()).catch(() => {});
  }

  async #pullTo(i: number): Promise<void> {
    while (!this.#isComplete && this.#entries.length <= i) {
      const next = await this.#source.next();
      if (next.done === true) this.#isComplete = true;
      else this.#entries.push(next.value);
    }
  }
}
