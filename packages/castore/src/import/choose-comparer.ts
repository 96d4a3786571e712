import { LstatComparer } from "./lstat-comparer.js";
import type { StatComparer } from "./stat-comparer.js";
import { loadStatx } from "./statx.js";
import { StatxComparer } from "./statx-comparer.js";

/** Loading native code takes as long as the `lstat`s that it spares in a tree of this many entries. */
const MIN_NATIVE_ENTRIES = 4000n;

/** @param entries - how many will be compared, about */
export function chooseComparer(entries: bigint): StatComparer {
  const statx = entries < MIN_NATIVE_ENTRIES ? undefined : loadStatx();
  return statx === undefined ? new LstatComparer() : new StatxComparer(statx);
}
