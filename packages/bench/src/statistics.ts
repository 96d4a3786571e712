/** What several measurements of one thing amount to. */
export interface Summary {
  /** The middle value; of an even number of values, the mean of the two in the middle. */
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws {@link RangeError} when there are no values, or one of them is no number */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const min = sorted[0];
  const max = sorted.at(-1);
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.ceil((sorted.length - 1) / 2)];
  if (min === undefined || max === undefined || low === undefined || high === undefined) {
    throw new RangeError("Cannot summarize: there are no values");
  }
  if (values.some(Number.isNaN)) throw new RangeError("Cannot summarize: a value is not a number");
  return { median: (low + high) / 2, min, max };
}

/** The items from number `by` on, then those before it: everyone gets to be first once. */
export function rotate<T>(items: readonly T[], by: number): T[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
