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
  const runs = Math.min(ours.length, others.length);
  if (runs === 0) return { ratio: undefined, verdict: "not measured" };
  const ratio = summarize(ours).median / summarize(others).median;
  if (runs < FEWEST_RUNS) return { ratio, verdict: "too few runs" };
  return { ratio, verdict: isGood(ratio) ? "PASS" : "MISS" };
}
