import type { Machine } from "../machine.js";
import type { Where } from "../options.js";
import type { DiskUse, TreeSize } from "../trees/walk-tree.js";
import type { RunFloor } from "./floors.js";
import type { OperationId } from "./operations.js";
import type { ToolId } from "./tool.js";

/** A tool as it was in a run. */
export interface RunTool {
  readonly id: ToolId;
  readonly label: string;
  /** `undefined` when it was not installed: then nothing was measured. */
  readonly version: string | undefined;
  readonly source: string;
}

/** All measurements of one operation with one tool, in the order in which they were made. */
export interface RunCell {
  readonly operation: OperationId;
  readonly tool: ToolId;
  readonly wallSeconds: number[];
  /** User and system time. Empty where it is not known. */
  readonly cpuSeconds: number[];
  /** Largest resident memory. Empty where it is not known. */
  readonly peakBytes: number[];
}

/** Size of a tool's store after an operation. */
export interface RunSize extends DiskUse {
  readonly operation: OperationId;
  readonly tool: ToolId;
}

/** One run as it is saved. What is reported is computed from this alone. */
export interface OperationsRun {
  readonly kind: "operations";
  readonly where: Where;
  readonly date: string;
  readonly command: string;
  readonly runs: number;
  readonly machine: Machine;
  readonly trees: { readonly T1: TreeSize; readonly T2: TreeSize; readonly T3: TreeSize };
  readonly tools: readonly RunTool[];
  readonly cells: readonly RunCell[];
  readonly sizes: readonly RunSize[];
  /** What only reading the trees takes; not in runs that were saved before it was measured. */
  readonly floors?: readonly RunFloor[];
}

/** The measurements of an operation with a tool; `undefined` when there are none. */
export function findCell(
  run: OperationsRun,
  operation: OperationId,
  tool: ToolId,
): RunCell | undefined {
  return run.cells.find((cell) => cell.operation === operation && cell.tool === tool);
}

/** The store of a tool after an operation. */
export function findSize(
  run: OperationsRun,
  operation: OperationId,
  tool: ToolId,
): RunSize | undefined {
  return run.sizes.find((size) => size.operation === operation && size.tool === tool);
}
