import { setTimeout as delay } from "node:timers/promises";
import { blake3, concatBytes } from "@tvix/castore";
import { BlobService } from "@tvix/protos/castore";
import { noise } from "../cli/trees.js";
import { Stranger } from "./stranger.js";

/** Time between two rounds: a witness is no load of its own. */
const PAUSE_MS = 20;

/** What a well-behaved client has seen. */
export interface Testimony {
  /** Rounds of one upload, one question and one download. */
  readonly rounds: number;
  readonly failures: readonly unknown[];
  /** The longest round, in milliseconds. */
  readonly slowestMs: number;
}

/** A well-behaved client that works while others misbehave. */
export class Witness {
  readonly #client: Stranger;
  readonly #seed: number;
  readonly #failures: unknown[] = [];
  readonly #done: Promise<void>;
  /** Fulfils when it has been served, or not, for the first time. */
  readonly begun: Promise<void>;
  #rounds = 0;
  #slowestMs = 0;
  #stops = false;

  constructor(address: string, seed: number) {
    this.#client = new Stranger(address);
    this.#seed = seed * 1_000_000;
    this.begun = this.#round();
    this.#done = this.begun.then(() => this.#work());
  }

  /** Does one more round, and says what it has seen from its beginning. */
  async testify(): Promise<Testimony> {
    this.#stops = true;
    await this.#done;
    await this.#round();
    this.#client.close();
    return { rounds: this.#rounds, failures: this.#failures, slowestMs: this.#slowestMs };
  }

  async #work(): Promise<void> {
    while (!this.#stops) {
      await this.#round();
      await delay(PAUSE_MS);
    }
  }

  async #round(): Promise<void> {
    const started = performance.now();
    try {
      const data = noise(20_000, this.#seed + this.#rounds);
      const { digest } = await this.#client.writeAll(BlobService.method.put, [{ data }]);
      await this.#client.unary(BlobService.method.stat, { digest });
      const messages = await this.#client.readAll(BlobService.method.read, { digest });
      const read = concatBytes(messages.map((message) => message.data));
      if (!blake3(read).equalsBytes(digest)) throw new Error("Another content was read");
      this.#rounds++;
    } catch (error) {
      this.#failures.push(error);
      this.#stops = true;
    }
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - started);
  }
}
