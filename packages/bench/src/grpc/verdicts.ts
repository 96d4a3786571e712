import { type Judgement, judge } from "../judge.js";
import { findGrpcCell, type GrpcCell, type GrpcRun } from "./grpc-run.js";
import type { Row } from "./rows.js";
import type { Side } from "./workload.js";

/** What a run says of one row. */
export interface RowResult extends Judgement {
  /** Units a second in each run. */
  readonly rates: Readonly<Record<Side, readonly number[]>>;
}

/** The measurements that count for a side in a row. */
export function cellOf(run: GrpcRun, row: Row, side: Side): GrpcCell | undefined {
  return findGrpcCell(run, side === "grpc-js" ? (row.peerRow ?? row.id) : row.id, side);
}

/** Compares median rates: ours must be at least equal. */
export function judgeRow(run: GrpcRun, row: Row): RowResult {
  const rates = { tvix: ratesOf(run, row, "tvix"), "grpc-js": ratesOf(run, row, "grpc-js") };
  return { rates, ...judge(rates.tvix, rates["grpc-js"], (ratio) => ratio >= 1) };
}

function ratesOf(run: GrpcRun, row: Row, side: Side): number[] {
  const seconds = cellOf(run, row, side)?.seconds ?? [];
  return seconds.map((time) => row.amount / time);
}
