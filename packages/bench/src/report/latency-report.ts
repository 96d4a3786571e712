import { type LatencyRow, type LatencyRun, ROUND_TRIP_MS } from "../latency/latency-run.js";
import { summarize } from "../statistics.js";
import { formatRatio, formatSpread, formatVerdict } from "./format.js";
import { machineReport } from "./machine-report.js";
import { markdownTable } from "./table.js";

/** How much longer a command may take when each round trip takes {@link ROUND_TRIP_MS}. */
const LIMIT = 3;

/** A run over lines with and without delay as Markdown. */
export function latencyReport(run: LatencyRun): string {
  const { machine, date, command } = run;
  return [machineReport(machine, { date, command, versions: [] }), figures(run)].join("\n\n");
}

function figures({ rows }: LatencyRun): string {
  return markdownTable({
    head: [
      "seconds, median",
      "no delay",
      `${ROUND_TRIP_MS} ms away`,
      `ratio, at most ${formatRatio(LIMIT)}`,
      "waits for round trips",
      "sent, received, kB",
      "verdict",
    ],
    rows: rows.map(row),
  });
}

function row({ title, here, far }: LatencyRow): string[] {
  const [near, away] = [here, far].map(({ seconds }) => summarize(seconds).median);
  const factor = (away ?? Number.NaN) / (near ?? Number.NaN);
  const waits = (((away ?? Number.NaN) - (near ?? Number.NaN)) * 1000) / ROUND_TRIP_MS;
  return [
    title,
    formatSpread(here.seconds),
    formatSpread(far.seconds),
    formatRatio(factor),
    String(Math.max(0, Math.round(waits))),
    `${kilobytes(far.sentBytes)}, ${kilobytes(far.receivedBytes)}`,
    formatVerdict(factor <= LIMIT ? "PASS" : "MISS"),
  ];
}

function kilobytes(bytes: number): string {
  return Math.round(bytes / 1000).toLocaleString("en-US");
}
