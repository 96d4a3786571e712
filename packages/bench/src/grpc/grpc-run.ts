import type { Machine } from "../machine.js";
import type { Where } from "../options.js";
import type { RowId } from "./rows.js";
import type { Side } from "./workload.js";

/** All measurements of one row with one side, in the order in which they were made. */
export interface GrpcCell {
  readonly row: RowId;
  readonly side: Side;
  readonly seconds: number[];
  /** Largest resident memory of the server. Empty where it is not known. */
  readonly serverPeakBytes: number[];
}

/** One run as it is saved. What is reported is computed from this alone. */
export interface GrpcRun {
  readonly kind: "grpc";
  readonly where: Where;
  readonly date: string;
  readonly command: string;
  readonly runs: number;
  readonly machine: Machine;
  readonly versions: readonly string[];
  readonly cells: readonly GrpcCell[];
}

/** The measurements of a row with a side; `undefined` when there are none. */
export function findGrpcCell(run: GrpcRun, row: RowId, side: Side): GrpcCell | undefined {
  return run.cells.find((cell) => cell.row === row && cell.side === side);
}
