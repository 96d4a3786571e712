import { type Judgement, judge } from "../judge.js";
import type { CacheSide, CopiesRun, CopyCell, NarCell, NarinfoCell, NarsRun } from "./cache-run.js";

/** How much longer a copy may take with our daemon than with files that are served. */
export const COPY_LIMIT = 1.2;

/** The part of nginx's narinfos a second that we have to answer at least. */
export const NARINFO_SHARE: number = 1 / 3;

/** How much more memory the largest NAR may take than the smallest, a sixteenth of its size. */
export const MEMORY_GROWTH_LIMIT = 1.25;

/** Holds the median time of copies with ours against that with the peer. */
export function judgeCopies({ cells }: CopiesRun, direction: CopyCell["direction"]): Judgement {
  const seconds = (side: CacheSide): readonly number[] =>
    cells.find((cell) => cell.direction === direction && cell.side === side)?.seconds ?? [];
  return judge(seconds("tvix"), seconds("nginx"), (ratio) => ratio <= COPY_LIMIT);
}

/** Holds our median of requests a second against that of the peer. */
export function judgeNarinfo(cells: readonly NarinfoCell[], connections: number): Judgement {
  const rates = (side: CacheSide): readonly number[] =>
    cells
      .find((cell) => cell.connections === connections && cell.side === side)
      ?.results.map(({ requestsPerSecond }) => requestsPerSecond) ?? [];
  return judge(rates("tvix"), rates("nginx"), (ratio) => ratio >= NARINFO_SHARE);
}

/** Holds the memory of our daemon for the largest NAR against that for the smallest. */
export function judgeMemory({ cells }: NarsRun, direction: NarCell["direction"]): Judgement {
  const ours = cells
    .filter((cell) => cell.direction === direction && cell.side === "tvix")
    .toSorted((a, b) => a.narBytes - b.narBytes);
  const [smallest] = ours;
  const largest = ours.at(-1);
  if (smallest === undefined || largest === undefined || smallest === largest) {
    return { ratio: undefined, verdict: "not measured" };
  }
  const isFlat = (ratio: number): boolean => ratio <= MEMORY_GROWTH_LIMIT;
  return judge(largest.serverPeakBytes, smallest.serverPeakBytes, isFlat);
}
