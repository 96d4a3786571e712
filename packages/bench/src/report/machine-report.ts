import type { Machine } from "../machine.js";
import { formatMebibytes } from "./format.js";
import { markdownTable } from "./table.js";

/** From this load on, the machine was busy with other things. */
const BUSY_LOAD = 0.5;

/** How and on what a run was made, as a list of facts. */
export function machineReport(
  machine: Machine,
  facts: { readonly date: string; readonly command: string; readonly versions: readonly string[] },
): string {
  const load = machine.load.toFixed(2);
  const busy = machine.load > BUSY_LOAD ? ": other programs were running, times are too long" : "";
  const rows: [string, string][] = [
    ["command", `\`${facts.command}\``],
    ["date", facts.date.slice(0, 10)],
    ["commit", machine.commit ?? "not known"],
    ["processor", `${machine.cpu}, ${machine.cores} cores`],
    ["memory", `${formatMebibytes(machine.memoryBytes)} MiB`],
    ["system", `${machine.kernel}, files on ${machine.fileSystem}`],
    ["Node", `${machine.node}, native: ${machine.native.join(", ") || "none"}`],
    ["load before", load + busy],
  ];
  if (facts.versions.length > 0) rows.push(["versions", facts.versions.join(", ")]);
  return markdownTable({ head: ["run", ""], rows, textColumns: 2 });
}
