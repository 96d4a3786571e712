import {
  FILE_SYSTEMS,
  type FileSystemId,
  type MountRun,
  TEMPERATURES,
  type Temperature,
  WORKS,
  type WorkId,
} from "../mount/mount-run.js";
import { judgeWork, MEMORY_LIMIT, secondsOf, TARGETS } from "../mount/verdicts.js";
import { RANDOM_READS } from "../mount/work.js";
import {
  formatCount,
  formatMebibytes,
  formatRatio,
  formatSeconds,
  formatSpread,
  formatVerdict,
  spreadTitle,
} from "./format.js";
import { machineReport } from "./machine-report.js";
import { markdownTable } from "./table.js";
import { treeTable } from "./tree-table.js";

const TITLES: Readonly<Record<WorkId, string>> = {
  find: "T1: `find`",
  du: "T1: `du`",
  tar: "T1: `tar c` into a pipe",
  grep: "T1: `grep -r`",
  sequential: "T2: `cat` of all files",
  "random-1": `T2: ${formatCount(RANDOM_READS)} reads of 4 KiB`,
  "random-4": "T2: the same by four programs at once",
};

const HEADS: Readonly<Record<FileSystemId, string>> = {
  native: "the kernel's own",
  tvix: "tvix mount",
  squashfuse: "squashfuse_ll",
  bindfs: "bindfs",
};

/** A run of the comparison of mounts as Markdown. */
export function mountReport(run: MountRun): string {
  const { date, command, versions } = run;
  return [
    machineReport(run.machine, { date, command, versions }),
    treeTable(run.trees),
    ...TEMPERATURES.flatMap((temperature) => [
      `**${temperature === "cold" ? "Right after mounting" : "Once more"}**: seconds, ${spreadTitle(run.runs)}`,
      timeTable(run, temperature),
    ]),
    memoryText(run),
  ].join("\n\n");
}

function timeTable(run: MountRun, temperature: Temperature): string {
  const { other, most } = TARGETS[temperature];
  const rows = WORKS.map((work) => {
    const { ratio, verdict } = judgeWork(run, { work, temperature });
    return [
      TITLES[work],
      ...FILE_SYSTEMS.map((fileSystem) =>
        formatSpread(secondsOf(run, { fileSystem, work, temperature })),
      ),
      formatRatio(ratio),
      formatVerdict(verdict),
    ];
  });
  const against = `tvix/${HEADS[other]}, at most ${most.toFixed(2)}x`;
  const head = ["", ...FILE_SYSTEMS.map((id) => HEADS[id]), against, "verdict"];
  return markdownTable({ head, rows });
}

function memoryText({ memory: { entries, residentBytes, seconds } }: MountRun): string {
  const verdict = formatVerdict(residentBytes <= MEMORY_LIMIT ? "PASS" : "MISS");
  return `**Memory** of the mount after \`du\` of ${formatCount(entries)} entries, which takes ${formatSeconds(seconds)} s: ${formatMebibytes(residentBytes)} MiB (at most ${formatMebibytes(MEMORY_LIMIT)} MiB): ${verdict}`;
}
