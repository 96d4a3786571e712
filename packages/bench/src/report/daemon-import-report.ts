import type { DaemonImportRun, Way, WayFigures } from "../daemon-import/run-daemon-import.js";
import { summarize } from "../statistics.js";
import { formatLargest, formatRatio, formatSpread, formatVerdict } from "./format.js";
import { machineReport } from "./machine-report.js";
import { markdownTable } from "./table.js";

/** How much longer T1 into a fresh store may take through a daemon. */
const FRESH_LIMIT = 1.5;

/** A run of imports with and without a daemon as Markdown. */
export function daemonImportReport(run: DaemonImportRun): string {
  return [
    machineReport(run.machine, { date: run.date, command: run.command, versions: [] }),
    targetTable(run),
    figuresTable(run),
  ].join("\n\n");
}

function targetTable(run: DaemonImportRun): string {
  const factor = median(run, "daemon") / median(run, "embedded");
  const row = ["T1, fresh store: through the daemon against embedded", formatRatio(factor)];
  const verdict = formatVerdict(factor <= FRESH_LIMIT ? "PASS" : "MISS");
  return markdownTable({
    head: ["target", "figure", "limit", "verdict"],
    rows: [[...row, `at most ${formatRatio(FRESH_LIMIT)}`, verdict]],
  });
}

function median(run: DaemonImportRun, way: Way): number {
  const figures = run.ways.find((one) => one.way === way);
  return figures === undefined ? Number.NaN : summarize(figures.freshSeconds).median;
}

function figuresTable({ ways }: DaemonImportRun): string {
  const row = (title: string, cell: (figures: WayFigures) => string) => [title, ...ways.map(cell)];
  return markdownTable({
    head: ["seconds, median", ...ways.map(({ way }) => way)],
    rows: [
      row("T1 into a fresh store", (one) => formatSpread(one.freshSeconds)),
      row("T1 again, unchanged", (one) => formatSpread(one.againSeconds)),
      row("processor time of both, all processes", (one) => formatSpread(one.cpuSeconds)),
      row("memory of the command, MiB", (one) => formatLargest(one.peakBytes)),
      row("memory of the daemon, MiB", (one) => formatLargest(one.daemonPeakBytes)),
    ],
  });
}
