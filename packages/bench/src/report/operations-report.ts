import { OPERATIONS } from "../operations/operations.js";
import {
  findCell,
  findSize,
  type OperationsRun,
  type RunCell,
} from "../operations/operations-run.js";
import { judgeTargets } from "../operations/targets.js";
import { summarize } from "../statistics.js";
import {
  formatLargest,
  formatMegabytes,
  formatSpread,
  formatVerdict,
  NONE,
  spreadTitle,
} from "./format.js";
import { machineReport } from "./machine-report.js";
import { markdownTable } from "./table.js";
import { treeTable } from "./tree-table.js";

/** Everything a run of operations tells, as Markdown. */
export function operationsReport(run: OperationsRun): string {
  const versions = run.tools
    .filter(({ id }) => id !== "tvix-raw")
    .map(({ label, version, source }) => version ?? `${label} is missing (${source})`);
  const spread = spreadTitle(run.runs);
  return [
    machineReport(run.machine, { date: run.date, command: run.command, versions }),
    treeTable(run.trees),
    "**Targets**",
    targetsTable(run),
    `**Time** in seconds, ${spread}`,
    cellsTable(run, ({ wallSeconds }) => formatSpread(wallSeconds)),
    ...floorsSection(run),
    "**Processor time**, user and system of all threads, in seconds, median",
    cellsTable(run, ({ cpuSeconds }) =>
      cpuSeconds.length === 0 ? NONE : summarize(cpuSeconds).median.toFixed(2),
    ),
    "**Memory**: largest resident size of the process in all runs, in MiB",
    cellsTable(run, ({ peakBytes }) => formatLargest(peakBytes)),
    "**Size of the store** in MB (10^6 bytes): lengths of all files; in brackets what the file system sets aside",
    sizesTable(run),
  ].join("\n\n");
}

function targetsTable(run: OperationsRun): string {
  return markdownTable({
    head: ["target", "measured", "figure", "limit", "verdict"],
    rows: judgeTargets(run).map(({ title, measured, figure, limit, verdict }) => [
      title,
      measured,
      figure,
      limit,
      formatVerdict(verdict),
    ]),
  });
}

function cellsTable(run: OperationsRun, format: (cell: RunCell) => string): string {
  return markdownTable({
    head: ["operation", ...run.tools.map(({ label }) => label)],
    rows: OPERATIONS.map(({ id, title }) => [
      title,
      ...run.tools.map((tool) => {
        if (tool.version === undefined) return "missing";
        const cell = findCell(run, id, tool.id);
        return cell === undefined ? NONE : format(cell);
      }),
    ]),
  });
}

function floorsSection({ floors = [] }: OperationsRun): string[] {
  if (floors.length === 0) return [];
  const trees = ["T1", "T2", "T3"] as const;
  const title =
    "**Floor**: what only reading a tree, in order and by one thread, takes other tools, in seconds";
  const table = markdownTable({
    head: ["reading", ...trees],
    rows: [...new Set(floors.map(({ label }) => label))].map((label) => [
      label,
      ...trees.map((tree) => {
        const times = floors.find((floor) => floor.label === label && floor.tree === tree);
        return times === undefined ? NONE : formatSpread(times.wallSeconds);
      }),
    ]),
  });
  return [title, table];
}

function sizesTable(run: OperationsRun): string {
  const adding = OPERATIONS.filter(({ adds }) => adds);
  return markdownTable({
    head: ["after", ...run.tools.map(({ label }) => label)],
    rows: adding.map(({ id, title }) => [
      title,
      ...run.tools.map((tool) => {
        if (tool.version === undefined) return "missing";
        const size = findSize(run, id, tool.id);
        if (size === undefined) return NONE;
        return `${formatMegabytes(size.bytes)} (${formatMegabytes(size.allocatedBytes)})`;
      }),
    ]),
  });
}
