import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { join } from "node:path";
import type { SeededRandom } from "@tvix/castore/testing";

/** What tells how far uploads have come: two views of the clients, and two of the disk. */
type Measure = "bytes sent" | "uploads acknowledged" | "bytes in packs" | "changes of the index";

/** When to kill: as soon as there is `count` of `measure`. */
export interface Moment {
  readonly measure: Measure;
  readonly count: number;
}

/** What a round amounts to when nobody is killed. */
export interface RoundTotals {
  readonly bytes: number;
  readonly uploads: number;
}

/** Before this many bytes have been sent, nobody can have been answered; about. */
const FIRST_BYTES = 100_000;

/** There are more commits than that in a round: each upload that waits for the one before takes one. */
const FIRST_CHANGES = 6;

/** How far into a round moments go: close to its end there is nothing left to interrupt. */
const LATEST = 0.85;

/**
 * Draws `count` moments: of each kind one after the other, and each kind spread evenly over a round.
 */
export function drawMoments(random: SeededRandom, count: number, totals: RoundTotals): Moment[] {
  const kinds: readonly ((part: number) => Moment)[] = [
    () => ({ measure: "bytes sent", count: 1 + random.below(FIRST_BYTES) }),
    (part) => ({ measure: "bytes sent", count: 1 + Math.floor(part * totals.bytes) }),
    (part) => ({ measure: "bytes in packs", count: 1 + Math.floor(part * totals.bytes) }),
    (part) => ({ measure: "uploads acknowledged", count: 1 + Math.floor(part * totals.uploads) }),
    () => ({ measure: "changes of the index", count: 1 + random.below(FIRST_CHANGES) }),
  ];
  const strata = Math.ceil(count / kinds.length);
  return Array.from({ length: count }, (_, i) => {
    const stratum = Math.floor(i / kinds.length) + random.below(1000) / 1000;
    const draw = kinds[i % kinds.length] as (part: number) => Moment;
    return draw((LATEST * stratum) / strata);
  });
}

/** Kills at its moment, while whatever happened then is still being dealt with. */
export class Tripwire {
  readonly #moment: Moment;
  readonly #kill: () => void;
  #seen = 0;
  #killedAt: number | undefined;

  constructor(moment: Moment, kill: () => void) {
    this.#moment = moment;
    this.#kill = kill;
  }

  /** By the clock of `performance.now()`; `undefined` before the moment. */
  get killedAt(): number | undefined {
    return this.#killedAt;
  }

  count(measure: Measure, amount: number): void {
    if (measure !== this.#moment.measure || this.#killedAt !== undefined) return;
    this.#seen += amount;
    if (this.#seen >= this.#moment.count) this.kill();
  }

  /** Kills now, unless that is done. */
  kill(): void {
    if (this.#killedAt !== undefined) return;
    this.#killedAt = performance.now();
    this.#kill();
  }
}

/**
 * Counts what a daemon writes: packs first, then the index, then the acknowledgement. The kernel tells of
 * each write as it happens.
 */
export function watchStore(dataDirectory: string, tripwire: Tripwire): Disposable {
  const packs = join(dataDirectory, "packs");
  let bytes = totalSize(packs);
  const watchers: readonly FSWatcher[] = [
    watch(packs, () => {
      const before = bytes;
      bytes = totalSize(packs);
      tripwire.count("bytes in packs", bytes - before);
    }),
    watch(dataDirectory, (_, name) => {
      if (name === "meta.sqlite-wal") tripwire.count("changes of the index", 1);
    }),
  ];
  return {
    [Symbol.dispose]() {
      for (const watcher of watchers) watcher.close();
    },
  };
}

function totalSize(directory: string): number {
  const names = readdirSync(directory);
  return names.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}
