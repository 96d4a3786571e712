import { abortable } from "@tvix/castore";
import type { NarCalculation } from "../nar-calculation.js";
import { createSha256 } from "../sha256/sha256.js";
import type { NarEvent } from "./nar-event.js";
import type { NarLimits } from "./nar-limits.js";
import { NarParser } from "./nar-parser.js";

export interface NarFeedOptions {
  readonly limits?: NarLimits | undefined;
  readonly onBytes?: ((bytes: Uint8Array) => void) | undefined;
}

/**
 * Parses a source, chunk by chunk, and counts and hashes exactly what it parses. Events come without
 * waiting as long as there are bytes for them.
 */
export class NarFeed {
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>;
  readonly #options: NarFeedOptions;
  readonly #parser: NarParser;
  readonly #sha256 = createSha256();
  #size = 0;

  constructor(source: AsyncIterable<Uint8Array>, signal: AbortSignal, options: NarFeedOptions) {
    this.#chunks = abortable(source, signal);
    this.#options = options;
    this.#parser = new NarParser(options.limits);
  }

  /** The next event; `undefined` when that takes a {@link refill}. */
  next(): NarEvent | undefined {
    return this.#parser.next();
  }

  /**
   * Reads the next chunk.
   *
   * @returns `false` when there is none, and the NAR is complete
   * @throws `NarFormatError` when it is not, or too large
   */
  async refill(): Promise<boolean> {
    const next = await this.#chunks.next();
    if (next.done === true) {
      this.#parser.end();
      return false;
    }
    this.#accept(next.value);
    return true;
  }

  /** Closes the source. */
  async close(): Promise<void> {
    // A generator that never ran would not close it.
    await this.#chunks.return();
  }

  /** What all of it amounts to. To be called once, at the end. */
  finish(): NarCalculation {
    return { narSize: BigInt(this.#size), narSha256: this.#sha256.digest() };
  }

  #accept(chunk: Uint8Array): void {
    this.#parser.push(chunk);
    this.#size += chunk.byteLength;
    this.#sha256.update(chunk);
    this.#options.onBytes?.(chunk);
  }
}
