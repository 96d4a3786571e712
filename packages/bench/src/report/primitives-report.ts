import type { PrimitivesRun } from "../primitives/run-primitives.js";
import type { Figure } from "../primitives/sample.js";
import { formatFigure, NONE } from "./format.js";
import { machineReport } from "./machine-report.js";
import { markdownTable } from "./table.js";

/** A run of primitives as Markdown: a table for each group of figures. */
export function primitivesReport(run: PrimitivesRun): string {
  const groups = unique(run.figures.map(({ group }) => group));
  return [
    machineReport(run.machine, { date: run.date, command: run.command, versions: [] }),
    ...groups.flatMap((group) => [
      `**${group}**`,
      groupTable(run.figures.filter((figure) => figure.group === group)),
    ]),
  ].join("\n\n");
}

function groupTable(figures: readonly Figure[]): string {
  const columns = unique(figures.map(({ column }) => column));
  const rows = unique(figures.map(({ row }) => row));
  return markdownTable({
    head: ["", ...columns],
    rows: rows.map((row) => [
      row,
      ...columns.map((column) => {
        const found = figures.find((figure) => figure.row === row && figure.column === column);
        if (found === undefined) return NONE;
        return found.value === undefined ? "not installed" : formatFigure(found.value);
      }),
    ]),
  });
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
