import { performance } from "node:perf_hooks";
import { summarize } from "../statistics.js";

/** One measured figure. */
export interface Figure {
  /** Table it belongs to. */
  readonly group: string;
  /** Row of the table. */
  readonly row: string;
  /** Column of the table. */
  readonly column: string;
  /** `undefined` where it could not be measured. */
  readonly value: number | undefined;
}

/** A figure comes from so many samples ... */
const SAMPLES = 7;

/** ... of at least this many seconds, so that neither clock nor garbage collection decide. */
const SAMPLE_SECONDS = 0.1;

/**
 * Seconds that one call of `work` takes: the median of several samples, after one that is not
 * counted, in which the code gets compiled.
 */
export function secondsPerCall(work: () => void): number {
  let calls = 1;
  for (let warm = false; !warm; ) {
    warm = time(work, calls) >= SAMPLE_SECONDS;
    if (!warm) calls *= 2;
  }
  const samples = Array.from({ length: SAMPLES }, () => time(work, calls) / calls);
  return summarize(samples).median;
}

/** Like {@link secondsPerCall} for work that waits. Each call is one sample: it should be long. */
export async function secondsPerAsyncCall(
  work: () => Promise<void>,
  samples: number = SAMPLES,
): Promise<number> {
  await work();
  const seconds: number[] = [];
  while (seconds.length < samples) {
    const started = performance.now();
    await work();
    seconds.push((performance.now() - started) / 1000);
  }
  return summarize(seconds).median;
}

function time(work: () => void, calls: number): number {
  const started = performance.now();
  for (let i = 0; i < calls; i++) work();
  return (performance.now() - started) / 1000;
}
