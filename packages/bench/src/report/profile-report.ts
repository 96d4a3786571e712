import type { ThreadSummary } from "../profile/cpu-profile.js";
import type { ProfiledImport, ProfileRun } from "../profile/run-profile.js";
import { formatSeconds, NONE } from "./format.js";
import { machineReport } from "./machine-report.js";
import { markdownTable } from "./table.js";

/** Functions that are shown of each thread. */
const SHOWN_FUNCTIONS = 6;

/** Profiles as Markdown: for each import its threads and what they were busy with. */
export function profileReport(run: ProfileRun): string {
  return [
    machineReport(run.machine, { date: run.date, command: run.command, versions: [] }),
    ...run.imports.flatMap((item) => [heading(item), threadsTable(item.threads)]),
  ].join("\n\n");
}

function heading({ title, wallSeconds, cpuSeconds }: ProfiledImport): string {
  const cpu = cpuSeconds === undefined ? NONE : `${formatSeconds(cpuSeconds)} s`;
  return `**${title}**: ${formatSeconds(wallSeconds)} s, processor time ${cpu} (with the profiler on)`;
}

function threadsTable(threads: readonly ThreadSummary[]): string {
  return markdownTable({
    head: ["thread", "most of its time, ms", "busy, ms", "life, ms"],
    textColumns: 2,
    rows: threads.map(({ name, lifeMilliseconds, busyMilliseconds, functions }) => [
      name,
      functions
        .slice(0, SHOWN_FUNCTIONS)
        .map((item) => `${item.name} ${item.milliseconds.toFixed(0)}`)
        .join(", "),
      busyMilliseconds.toFixed(0),
      lifeMilliseconds.toFixed(0),
    ]),
  });
}
