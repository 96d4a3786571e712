import type { GrpcRun } from "../grpc/grpc-run.js";
import { ROWS, type Row, type StoreKind } from "../grpc/rows.js";
import { cellOf, judgeRow } from "../grpc/verdicts.js";
import type { Side } from "../grpc/workload.js";
import {
  formatFigureSpread,
  formatLargest,
  formatRatio,
  formatVerdict,
  spreadTitle,
} from "./format.js";
import { machineReport } from "./machine-report.js";
import { markdownTable } from "./table.js";

const STORES: Readonly<Record<StoreKind, string>> = {
  discarding: "discarding",
  fresh: "real, new",
  filled: "real",
};

/** A comparison of gRPC as Markdown. */
export function grpcReport(run: GrpcRun): string {
  const { date, command, versions } = run;
  const same = ROWS.filter((row) => row.peerRow === undefined);
  const more = ROWS.filter((row) => row.peerRow !== undefined);
  const spread = spreadTitle(run.runs);
  return [
    machineReport(run.machine, { date, command, versions }),
    `**The same calls**: units a second, ${spread}`,
    rowsTable(run, same),
    `**What our client makes of them**, which checks all it sends and receives, against the calls alone: units a second, ${spread}`,
    rowsTable(run, more),
  ].join("\n\n");
}

function rowsTable(run: GrpcRun, rows: readonly Row[]): string {
  const memory = (row: Row, side: Side): string =>
    formatLargest(cellOf(run, row, side)?.serverPeakBytes ?? []);
  return markdownTable({
    head: [
      "calls",
      "store",
      "unit",
      "tvix",
      "grpc-js",
      "tvix/grpc-js",
      "verdict",
      "server MiB: tvix",
      "grpc-js",
    ],
    textColumns: 3,
    rows: rows.map((row) => {
      const { rates, ratio, verdict } = judgeRow(run, row);
      return [
        row.title,
        STORES[row.store],
        `${row.unit}/s`,
        formatFigureSpread(rates.tvix),
        formatFigureSpread(rates["grpc-js"]),
        formatRatio(ratio),
        formatVerdict(verdict),
        memory(row, "tvix"),
        memory(row, "grpc-js"),
      ];
    }),
  });
}
