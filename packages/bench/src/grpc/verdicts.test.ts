import { describe, expect, it } from "vitest";
import { grpcReport } from "../report/grpc-report.js";
import { SOME_MACHINE } from "../testing/some-machine.js";
import type { GrpcRun } from "./grpc-run.js";
import { ROWS, type Row, type RowId } from "./rows.js";
import { judgeRow } from "./verdicts.js";
import type { Side } from "./workload.js";

type Times = Partial<Record<RowId, Partial<Record<Side, number[]>>>>;

function runOf(times: Times): GrpcRun {
  return {
    kind: "grpc",
    where: "tmpfs",
    date: "2026-01-02T03:04:05.678Z",
    command: "pnpm bench grpc",
    runs: 3,
    machine: SOME_MACHINE,
    versions: ["tvix 1", "grpc-js 2"],
    cells: Object.entries(times).flatMap(([row, bySide]) =>
      Object.entries(bySide).map(([side, seconds]) => ({
        row: row as RowId,
        side: side as Side,
        seconds,
        serverPeakBytes: [100 * 2 ** 20, 120 * 2 ** 20],
      })),
    ),
  };
}

function row(id: RowId): Row {
  return ROWS.find((one) => one.id === id) as Row;
}

describe("judgeRow()", () => {
  it.each<{ title: string; ours: number[]; theirs: number[]; verdict: string }>([
    { title: "equal medians", ours: [9, 1, 2], theirs: [2, 2, 1], verdict: "PASS" },
    { title: "a slower median", ours: [1, 1.001, 1.002], theirs: [1, 1, 1], verdict: "MISS" },
    { title: "two runs", ours: [1, 1], theirs: [2, 2, 2], verdict: "too few runs" },
    { title: "nothing of the peer", ours: [1, 1, 1], theirs: [], verdict: "not measured" },
  ])("says $verdict of $title", ({ ours, theirs, verdict }) => {
    const run = runOf({ put: { tvix: ours, "grpc-js": theirs } });
    expect(judgeRow(run, row("put")).verdict).toBe(verdict);
  });

  it("compares units a second, not seconds", () => {
    const run = runOf({ put: { tvix: [1, 1, 1], "grpc-js": [2, 2, 2] } });
    expect(judgeRow(run, row("put"))).toEqual({
      rates: { tvix: [1024, 1024, 1024], "grpc-js": [512, 512, 512] },
      ratio: 2,
      verdict: "PASS",
    });
  });

  it("takes the figure of the peer from the row that is named", () => {
    const run = runOf({
      "store-puts": { tvix: [1, 1, 1], "grpc-js": [4, 4, 4] },
      "store-batches": { tvix: [2, 2, 2] },
    });
    expect(judgeRow(run, row("store-batches")).ratio).toBe(2);
  });
});

describe("ROWS", () => {
  it("name a row of the peer that does the same amount in the same store", () => {
    for (const { id, peerRow, workloads, amount, store } of ROWS) {
      const peer = row(peerRow ?? id);
      expect(peer.workloads["grpc-js"], id).toBeDefined();
      expect(workloads["grpc-js"] === undefined, id).toBe(peerRow !== undefined);
      expect({ amount: peer.amount, store: peer.store }, id).toEqual({ amount, store });
    }
  });
});

describe("grpcReport()", () => {
  it("shows medians, ratio, verdict and memory", () => {
    const times = { tvix: [2, 4, 2], "grpc-js": [1, 1, 1] };
    const report = grpcReport(runOf({ "stat-16": times }));
    expect(report).toMatch(
      /^\| Stat, 16 at a time +\| discarding \| calls\/s +\| +10,000 \(5,000–10,000\) \| +20,000 \(20,000–20,000\) \| +0\.50x \| +\*\*MISS\*\* \| +120 \| +120 \|$/m,
    );
    expect(report).toMatch(
      /^\| Put, 1 GiB +\| discarding \| MiB\/s +\| +– \| +– \| +– \| not measured/m,
    );
    expect(report).toContain("tvix 1, grpc-js 2");
  });
});
