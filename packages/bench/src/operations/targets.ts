import type { Verdict } from "../judge.js";
import { summarize } from "../statistics.js";
import type { OperationId } from "./operations.js";
import { findCell, findSize, type OperationsRun } from "./operations-run.js";
import type { ToolId } from "./tool.js";

/** A promise about speed or size, and what a run says of it. */
export interface TargetResult {
  readonly title: string;
  /** What was compared, with numbers. */
  readonly measured: string;
  /** The figure that the limit is for, such as "0.83x"; empty when it was not measured. */
  readonly figure: string;
  readonly limit: string;
  readonly verdict: Verdict;
}

/** What the program is to reach. Times are medians; both ways to store have to reach it. */
export function judgeTargets(run: OperationsRun): TargetResult[] {
  const ours = ["tvix", "tvix-raw"] as const;
  return [
    atMost(run, 1, ["add-t1", "tvix-raw"], ["add-t1", "nix"]),
    atMost(run, 1, ["add-t1", "tvix"], ["add-t1", "restic"]),
    ...ours.map((tool) => atMost(run, 1 / AGAIN_SPEEDUP, ["again-t1", tool], ["add-t1", tool])),
    ...ours.map((tool) => atMost(run, 1 / EDITED_SPEEDUP, ["add-t3", tool], ["add-t3", "nix"])),
    ...(["add-t2-alone", "add-t2"] as const).flatMap((operation) =>
      ours.map((tool) => atMost(run, LARGE_SLOWDOWN, [operation, tool], [operation, "nix"])),
    ),
    sizeBelow(run, "tvix", "restic"),
    ...ours.map((tool) => memoryBelow(run, tool)),
    startBelow(run),
  ];
}

/** T1 again, against the first time. */
const AGAIN_SPEEDUP = 10;
/** T3 after T1, against Nix. */
const EDITED_SPEEDUP = 4;
/** T2, against Nix. */
const LARGE_SLOWDOWN = 1.3;
/** Most resident memory. */
const MEMORY_LIMIT_BYTES = 400 * 1024 * 1024;
/** Time of `tvix --version`. */
const START_LIMIT_SECONDS = 0.15;

const TITLES: Readonly<Record<OperationId, string>> = {
  start: "start-up",
  "add-t1": "T1, fresh store",
  "again-t1": "T1 again",
  "add-t3": "T3 after T1",
  "add-t2": "T2 after T1 and T3",
  "add-t2-alone": "T2, fresh store",
  "add-edited": "T1 edited in place",
  "dump-t1": "NAR of T1",
  check: "check",
};

type Subject = readonly [OperationId, ToolId];

function atMost(
  run: OperationsRun,
  limit: number,
  subject: Subject,
  reference: Subject,
): TargetResult {
  const time = medianSeconds(run, subject);
  const other = medianSeconds(run, reference);
  const against = subject[1] === reference[1] ? TITLES[reference[0]] : labelOf(run, reference[1]);
  return judge({
    title: `${TITLES[subject[0]]}: ${labelOf(run, subject[1])} against ${against}`,
    value: time !== undefined && other !== undefined ? time / other : undefined,
    measured: `${seconds(time)} / ${seconds(other)}`,
    limit,
    format: (ratio) => `${ratio.toFixed(2)}x`,
  });
}

function sizeBelow(run: OperationsRun, tool: ToolId, reference: ToolId): TargetResult {
  const size = findSize(run, "add-t2", tool)?.bytes;
  const other = findSize(run, "add-t2", reference)?.bytes;
  return judge({
    title: `Bytes after T1, T3 and T2: ${labelOf(run, tool)} against ${labelOf(run, reference)}`,
    value: size !== undefined && other !== undefined ? size / other : undefined,
    measured: `${megabytes(size)} / ${megabytes(other)}`,
    limit: 1,
    format: (ratio) => `${ratio.toFixed(2)}x`,
  });
}

function memoryBelow(run: OperationsRun, tool: ToolId): TargetResult {
  const adding: readonly OperationId[] = ["add-t1", "again-t1", "add-t3", "add-t2", "add-t2-alone"];
  const cells = run.cells.filter((cell) => cell.tool === tool && adding.includes(cell.operation));
  const peaks = cells.flatMap((cell) => cell.peakBytes);
  const complete = adding.every((id) => (findCell(run, id, tool)?.peakBytes.length ?? 0) > 0);
  const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;
  return judge({
    title: `Memory in all of these: ${labelOf(run, tool)}`,
    value: complete ? Math.max(...peaks) : undefined,
    measured: "largest of all runs",
    limit: MEMORY_LIMIT_BYTES,
    format: mebibytes,
  });
}

function startBelow(run: OperationsRun): TargetResult {
  return judge({
    title: "Start-up: `tvix --version`",
    value: medianSeconds(run, ["start", "tvix"]),
    measured: "median",
    limit: START_LIMIT_SECONDS,
    format: (value) => `${Math.round(value * 1000)} ms`,
  });
}

interface Judged {
  readonly title: string;
  readonly value: number | undefined;
  readonly measured: string;
  readonly limit: number;
  readonly format: (value: number) => string;
}

/** The value itself is compared, not the rounded figure. */
function judge({ title, value, measured, limit, format }: Judged): TargetResult {
  const bound = `at most ${format(limit)}`;
  if (value === undefined) {
    return { title, measured, figure: "", limit: bound, verdict: "not measured" };
  }
  const verdict = value <= limit ? "PASS" : "MISS";
  return { title, measured, figure: format(value), limit: bound, verdict };
}

function medianSeconds(run: OperationsRun, [operation, tool]: Subject): number | undefined {
  const cell = findCell(run, operation, tool);
  return cell && summarize(cell.wallSeconds).median;
}

function labelOf(run: OperationsRun, id: ToolId): string {
  return run.tools.find((tool) => tool.id === id)?.label ?? id;
}

function seconds(value: number | undefined): string {
  return value === undefined ? "?" : `${value.toFixed(2)} s`;
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? "?" : `${(bytes / 1e6).toFixed(1)} MB`;
}
