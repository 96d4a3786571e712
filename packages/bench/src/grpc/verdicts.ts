import { summarize } from "../statistics.js";
import { findGrpcCell, type GrpcCell, type GrpcRun } from "./grpc-run.js";
import type { Row } from "./rows.js";
import type { Side } from "./workload.js";

/** What a run says of one row. */
export interface RowResult {
  /** Units a second in each run. */
  readonly rates: Readonly<Record<Side, readonly number[]>>;
  /** Our median rate against that of the peer; `undefined` where one of them is missing. */
  readonly ratio: number | undefined;
  readonly verdict: "PASS" | "MISS" | "too few runs" | "not measured";
}

/** Fewest runs of a side whose median decides. */
const FEWEST_RUNS = 3;

/** The measurements that count for a side in a row. */
export function cellOf(run: GrpcRun, row: Row, side: Side): GrpcCell | undefined {
  return findGrpcCell(run, side === "grpc-js" ? (row.peerRow ?? row.id) : row.id, side);
}

/** Compares medians: ours must be at least equal. The ratio itself is compared, not the rounded one. */
export function judgeRow(run: GrpcRun, row: Row): RowResult {
  const rates = { tvix: ratesOf(run, row, "tvix"), "grpc-js": ratesOf(run, row, "grpc-js") };
  const runs = Math.min(rates.tvix.length, rates["grpc-js"].length);
  if (runs === 0) return { rates, ratio: undefined, verdict: "not measured" };
  const ratio = summarize(rates.tvix).median / summarize(rates["grpc-js"]).median;
  if (runs < FEWEST_RUNS) return { rates, ratio, verdict: "too few runs" };
  return { rates, ratio, verdict: ratio >= 1 ? "PASS" : "MISS" };
}

function ratesOf(run: GrpcRun, row: Row, side: Side): number[] {
  const seconds = cellOf(run, row, side)?.seconds ?? [];
  return seconds.map((time) => row.amount / time);
}
