import type { Verdict } from "../judge.js";
import { summarize } from "../statistics.js";

/** Stands where nothing was measured. */
export const NONE = "–";

/** Seconds with three digits that count. */
export function formatSeconds(seconds: number): string {
  if (seconds >= 10) return seconds.toFixed(1);
  return seconds >= 1 ? seconds.toFixed(2) : seconds.toFixed(3);
}

/** "1.67 (1.62–1.70)": median, smallest and largest; the median alone when there is only one. */
export function formatSpread(values: readonly number[]): string {
  if (values.length === 0) return NONE;
  const { median, min, max } = summarize(values);
  const text = formatSeconds(median);
  return values.length === 1 ? text : `${text} (${formatSeconds(min)}–${formatSeconds(max)})`;
}

/** {@link formatSpread} for rates and other figures. */
export function formatFigureSpread(values: readonly number[]): string {
  if (values.length === 0) return NONE;
  const { median, min, max } = summarize(values);
  const text = formatFigure(median);
  return values.length === 1 ? text : `${text} (${formatFigure(min)}–${formatFigure(max)})`;
}

/** Bytes in millions, as file sizes are told. */
export function formatMegabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** Bytes in units of 2^20, as memory is told. */
export function formatMebibytes(bytes: number): string {
  return String(Math.round(bytes / 1024 / 1024));
}

/** 40214 as "40,214". */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** A rate or another figure: two digits after the point below 10, none from 100 on. */
export function formatFigure(value: number): string {
  if (value >= 100) return formatCount(value);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The largest of what runs took of memory, in units of 2^20. */
export function formatLargest(bytes: readonly number[]): string {
  return bytes.length === 0 ? NONE : formatMebibytes(Math.max(...bytes));
}

/** One figure against another. */
export function formatRatio(ratio: number | undefined): string {
  return ratio === undefined ? NONE : `${ratio.toFixed(2)}x`;
}

/** What has to be seen stands out. */
export function formatVerdict(verdict: Verdict): string {
  return verdict === "MISS" ? "**MISS**" : verdict;
}

/** What a spread of so many runs shows. */
export function spreadTitle(runs: number): string {
  return runs === 1 ? "one run" : `median of ${runs} runs (smallest–largest)`;
}
