import { summarize } from "./statistics.js";

/** What is said of a figure that has a limit. */
export type Verdict = "PASS" | "MISS" | "too few runs" | "not measured";

/** What a run says of one row. */
export interface Judgement {
  /** Our figure against the other one; `undefined` where one of them is missing. */
  readonly ratio: number | undefined;
  readonly verdict: Verdict;
}

/** Fewest runs of a side whose median decides. */
const FEWEST_RUNS = 3;

/** One median against the other; `undefined` where one of them is missing. */
export function ratioOf(ours: readonly number[], others: readonly number[]): number | undefined {
  if (ours.length === 0 || others.length === 0) return undefined;
  return summarize(ours).median / summarize(others).median;
}

/**
 * Compares medians.
 *
 * @param isGood - holds the ratio itself against the limit, not the rounded one
 */
export function judge(
  ours: readonly number[],
  others: readonly number[],
  isGood: (ratio: number) => boolean,
): Judgement {
  const ratio = ratioOf(ours, others);
  if (ratio === undefined) return { ratio, verdict: "not measured" };
  if (Math.min(ours.length, others.length) < FEWEST_RUNS) return { ratio, verdict: "too few runs" };
  return { ratio, verdict: isGood(ratio) ? "PASS" : "MISS" };
}
