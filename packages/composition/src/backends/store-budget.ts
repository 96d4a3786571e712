import { CastoreError } from "@tvix/castore";
import type { DerivedCache, LocalStore } from "@tvix/castore/local";
import { formatSize } from "../quantities.js";

/** For how long it is believed what a store takes, in milliseconds: it takes reading a directory to find out. */
const BELIEVED_MS = 5000;

/** How much a local store may take. It is looked up now and then, so that a little more may come together. */
export class StoreBudget {
  readonly #local: Pick<LocalStore, "stats">;
  readonly #maxBytes: number;
  #measuredAt = Number.NEGATIVE_INFINITY;
  #hasRoom = true;

  constructor(local: Pick<LocalStore, "stats">, maxBytes: number) {
    this.#local = local;
    this.#maxBytes = maxBytes;
  }

  /** Whether more may be kept. */
  async hasRoom(): Promise<boolean> {
    if (performance.now() - this.#measuredAt >= BELIEVED_MS) {
      this.#measuredAt = performance.now();
      const { diskBytes } = await this.#local.stats();
      this.#hasRoom = diskBytes < this.#maxBytes;
    }
    return this.#hasRoom;
  }

  /** @throws {@link CastoreError} with code "STORAGE" when no more may be kept */
  async assertRoom(): Promise<void> {
    if (await this.hasRoom()) return;
    const limit = formatSize(this.#maxBytes);
    throw new CastoreError("STORAGE", `Cannot keep more: the store takes the ${limit} that it may`);
  }
}

/** Notes that are lost when no more may be kept: what they say is asked for again. */
export function boundedNotes(notes: DerivedCache, budget: StoreBudget): DerivedCache {
  return {
    get: (key) => notes.get(key),
    put: async (key, value) => {
      if (await budget.hasRoom()) await notes.put(key, value);
    },
    putMany: async (entries) => {
      if (await budget.hasRoom()) await notes.putMany(entries);
    },
  };
}
