import {
  DUMPED_TREES,
  type DumpedTree,
  type DumpFigures,
  type NarRun,
  SINKS,
  type Sink,
} from "../nar/run-nar.js";
import type { ToolId } from "../operations/tool.js";
import { summarize } from "../statistics.js";
import {
  formatLargest,
  formatRatio,
  formatSeconds,
  formatSpread,
  formatVerdict,
  NONE,
} from "./format.js";
import { machineReport } from "./machine-report.js";
import { markdownTable } from "./table.js";
import { treeTable } from "./tree-table.js";

/** How much longer than `nix-store --dump` it may take. */
const LIMITS: Readonly<Record<DumpedTree, number>> = { T1: 1.5, T2: 1.2 };

const SINK_TITLES: Readonly<Record<Sink, string>> = {
  null: "to /dev/null",
  pipe: "into a pipe, to cat",
  file: "to a file in memory",
};

/** A run of `tvix nar dump` and `nix-store --dump` as Markdown. */
export function narReport(run: NarRun): string {
  const versions = run.tools.filter(({ id }) => id !== "tvix-raw").map(({ version }) => version);
  return [
    machineReport(run.machine, { date: run.date, command: run.command, versions }),
    treeTable(run.trees),
    targetTable(run),
    timeTable(run, "seconds", ({ wallSeconds }) => formatSpread(wallSeconds)),
    timeTable(run, "processor time, seconds", ({ cpuSeconds }) => formatSpread(cpuSeconds)),
    timeTable(run, "memory, MiB", ({ peakBytes }) => formatLargest(peakBytes)),
  ].join("\n\n");
}

function targetTable(run: NarRun): string {
  const ours = run.tools.filter(({ id }) => id !== "nix");
  const rows = places().flatMap(({ tree, sink }) =>
    ours.map(({ id, label }) => {
      const title = `${tree} ${SINK_TITLES[sink]}: ${label} against nix-store`;
      const time = median(run, { tool: id, tree, sink });
      const other = median(run, { tool: "nix", tree, sink });
      const limit = `at most ${formatRatio(LIMITS[tree])}`;
      if (time === undefined || other === undefined)
        return [title, NONE, NONE, limit, "not measured"];
      const measured = `${formatSeconds(time)} s / ${formatSeconds(other)} s`;
      const ratio = time / other;
      const verdict = formatVerdict(ratio <= LIMITS[tree] ? "PASS" : "MISS");
      return [title, measured, formatRatio(ratio), limit, verdict];
    }),
  );
  return markdownTable({ head: ["target", "measured", "figure", "limit", "verdict"], rows });
}

function timeTable(run: NarRun, title: string, cell: (figures: DumpFigures) => string): string {
  return markdownTable({
    head: [title, ...run.tools.map(({ label }) => label)],
    rows: places().map(({ tree, sink }) => [
      `${tree} ${SINK_TITLES[sink]}`,
      ...run.tools.map(({ id }) => {
        const figures = find(run, { tool: id, tree, sink });
        return figures === undefined ? NONE : cell(figures);
      }),
    ]),
  });
}

interface Subject {
  readonly tool: ToolId;
  readonly tree: DumpedTree;
  readonly sink: Sink;
}

function places(): Pick<Subject, "tree" | "sink">[] {
  return DUMPED_TREES.flatMap((tree) => SINKS.map((sink) => ({ tree, sink })));
}

function find({ figures }: NarRun, { tool, tree, sink }: Subject): DumpFigures | undefined {
  return figures.find((one) => one.tool === tool && one.tree === tree && one.sink === sink);
}

function median(run: NarRun, subject: Subject): number | undefined {
  const figures = find(run, subject);
  return figures && summarize(figures.wallSeconds).median;
}
