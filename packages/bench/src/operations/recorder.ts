import type { Measurement } from "../process/measure.js";
import { measureDiskUse } from "../trees/walk-tree.js";
import type { Operation, OperationId } from "./operations.js";
import type { RunCell, RunSize } from "./operations-run.js";
import type { Tool } from "./tool.js";

/** Gathers what a run measures, and compares what the tools printed. */
export class Recorder {
  readonly cells: RunCell[] = [];
  readonly sizes: RunSize[] = [];
  readonly #storePaths = new Map<OperationId, { readonly label: string; readonly path: string }>();

  add(operation: Operation, tool: Tool, result: Measurement): void {
    const cell = this.#cell(operation, tool);
    cell.wallSeconds.push(result.wallSeconds);
    if (result.cpuSeconds !== undefined) cell.cpuSeconds.push(result.cpuSeconds);
    if (result.peakBytes !== undefined) cell.peakBytes.push(result.peakBytes);
  }

  /** Measures a store after an operation, the first time only: it grows alike in every round. */
  addSize(operation: Operation, tool: Tool, store: string): void {
    const isSame = (size: RunSize) => size.operation === operation.id && size.tool === tool.id;
    if (this.sizes.some(isSame)) return;
    const use = measureDiskUse(tool.content(store));
    this.sizes.push({ operation: operation.id, tool: tool.id, ...use });
  }

  /**
   * Takes the store path that a tool printed. A fast wrong result is worth nothing.
   *
   * @throws Error when another tool, or this one before, printed another path for the same tree
   */
  checkStorePath(operation: Operation, tool: Tool, path: string): void {
    const known = this.#storePaths.get(operation.id);
    if (known === undefined) {
      this.#storePaths.set(operation.id, { label: tool.label, path });
    } else if (known.path !== path) {
      throw new Error(
        `${operation.title}: the store paths differ: "${known.path}" of ${known.label}, "${path}" of ${tool.label}`,
      );
    }
  }

  #cell(operation: Operation, tool: Tool): RunCell {
    const isSame = (cell: RunCell) => cell.operation === operation.id && cell.tool === tool.id;
    const found = this.cells.find(isSame);
    if (found !== undefined) return found;
    const names = { operation: operation.id, tool: tool.id };
    const cell: RunCell = { ...names, wallSeconds: [], cpuSeconds: [], peakBytes: [] };
    this.cells.push(cell);
    return cell;
  }
}
