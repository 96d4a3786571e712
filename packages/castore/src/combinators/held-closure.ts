import type { Directory } from "../nodes/directory.js";
import { digestDirectory } from "../wire/directory-digest.js";

/** Encoded Directories that are held back for a second store, in bytes. A larger closure is not held at all. */
const MAX_HELD_BYTES = 64 * 1024 * 1024;

/** A closure on its way into one store that another one is to have, too, when the first has taken it. One-shot. */
export class HeldClosure implements AsyncIterable<Directory> {
  readonly #source: AsyncIterable<Directory> | Iterable<Directory>;
  readonly #keys = new Set<string>();
  #held: Directory[] | undefined = [];
  #heldBytes = 0;

  constructor(source: AsyncIterable<Directory> | Iterable<Directory>) {
    this.#source = source;
  }

  /** Of those that went by. */
  get keys(): Iterable<string> {
    return this.#keys;
  }

  /** Those that went by, in their order; `undefined` when they are too much. */
  get directories(): readonly Directory[] | undefined {
    return this.#held;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Directory, void, undefined> {
    for await (const directory of this.#source) {
      this.#hold(directory);
      yield directory;
    }
  }

  #hold(directory: Directory): void {
    const { digest, encoded } = digestDirectory(directory);
    if (this.#keys.has(digest.key)) return;
    this.#keys.add(digest.key);
    this.#heldBytes += encoded.byteLength;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#held = undefined;
    this.#held?.push(directory);
  }
}
