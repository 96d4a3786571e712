import { describe, expect, it } from "vitest";
import { operationsReport } from "../report/operations-report.js";
import { SOME_MACHINE } from "../testing/some-machine.js";
import type { OperationId } from "./operations.js";
import type { OperationsRun, RunTool } from "./operations-run.js";
import { judgeTargets } from "./targets.js";
import type { ToolId } from "./tool.js";

const MIB = 1024 * 1024;

type Times = Partial<Record<OperationId, Partial<Record<ToolId, readonly number[]>>>>;

const GOOD: Times = {
  start: { tvix: [0.1] },
  "add-t1": { tvix: [2, 9, 2], "tvix-raw": [1], nix: [1], restic: [2] },
  "again-t1": { tvix: [0.2], "tvix-raw": [0.1] },
  "add-t3": { tvix: [0.25], "tvix-raw": [0.25], nix: [1] },
  "add-t2": { tvix: [1.3], "tvix-raw": [1.3], nix: [1] },
  "add-t2-alone": { tvix: [1.3], "tvix-raw": [1.3], nix: [1] },
};

function tool(id: ToolId, label: string, version = "1.0"): RunTool {
  return { id, label, version, source: `package ${label}` };
}

function runOf(
  times: Times,
  { peak = 400 * MIB, size = 700 }: { peak?: number; size?: number } = {},
): OperationsRun {
  const cells = Object.entries(times).flatMap(([operation, byTool]) =>
    Object.entries(byTool).map(([id, wallSeconds]) => ({
      operation: operation as OperationId,
      tool: id as ToolId,
      wallSeconds: [...wallSeconds],
      cpuSeconds: [0.5],
      peakBytes: [peak],
    })),
  );
  const tree = { files: 1, directories: 1, symlinks: 0, bytes: 1234567 };
  return {
    kind: "operations",
    where: "tmpfs",
    date: "2026-01-02T03:04:05.678Z",
    command: "pnpm bench",
    runs: 3,
    machine: SOME_MACHINE,
    trees: { T1: tree, T2: tree, T3: tree },
    tools: [
      tool("tvix", "tvix"),
      tool("tvix-raw", "tvix --no-compression"),
      tool("nix", "nix-store"),
      tool("restic", "restic"),
    ],
    cells,
    sizes: [
      { operation: "add-t2", tool: "tvix", bytes: size, allocatedBytes: size },
      { operation: "add-t2", tool: "restic", bytes: 700, allocatedBytes: 800 },
    ],
    floors: [
      { floor: "tar", label: "tar c", tree: "T3", wallSeconds: [0.3, 0.2], cpuSeconds: [0.4] },
    ],
  };
}

function verdicts(run: OperationsRun, verdict: string): string[] {
  return judgeTargets(run)
    .filter((target) => target.verdict === verdict)
    .map(({ title }) => title);
}

describe("judgeTargets()", () => {
  it("passes a run that is exactly at every limit, by its medians", () => {
    const run = runOf(GOOD);
    expect(verdicts(run, "PASS")).toHaveLength(judgeTargets(run).length);
  });

  it.each<{ change: Times; missed: string }>([
    {
      change: { "add-t1": { tvix: [2], "tvix-raw": [1.01], nix: [1], restic: [2] } },
      missed: "T1, fresh store: tvix --no-compression against nix-store",
    },
    {
      change: { "add-t3": { tvix: [0.26], "tvix-raw": [0.25], nix: [1] } },
      missed: "T3 after T1: tvix against nix-store",
    },
    {
      change: { "again-t1": { tvix: [0.2], "tvix-raw": [0.11] } },
      missed: "T1 again: tvix --no-compression against T1, fresh store",
    },
    {
      change: { "add-t2": { tvix: [1.31], "tvix-raw": [1.3], nix: [1] } },
      missed: "T2 after T1 and T3: tvix against nix-store",
    },
    { change: { start: { tvix: [0.151] } }, missed: "Start-up: `tvix --version`" },
  ])("misses $missed", ({ change, missed }) => {
    expect(verdicts(runOf({ ...GOOD, ...change }), "MISS")).toEqual([missed]);
  });

  it("misses more memory and more bytes", () => {
    expect(verdicts(runOf(GOOD, { peak: 400 * MIB + 1 }), "MISS")).toHaveLength(2);
    expect(verdicts(runOf(GOOD, { size: 701 }), "MISS")).toHaveLength(1);
  });

  it("says of what a missing peer is needed for that it was not measured", () => {
    const without = structuredClone(GOOD) as Record<string, Record<string, unknown>>;
    for (const byTool of Object.values(without)) delete byTool["nix"];
    const run = runOf(without as Times);
    expect(verdicts(run, "not measured")).toHaveLength(7);
    expect(verdicts(run, "MISS")).toEqual([]);
  });
});

describe("operationsReport()", () => {
  it("names a missing tool instead of leaving it out", () => {
    const run = runOf(GOOD);
    const tools = run.tools.map((item) =>
      item.id === "restic" ? { ...item, version: undefined } : item,
    );
    const report = operationsReport({ ...run, tools });
    expect(report).toContain("restic is missing (package restic)");
    expect(report).toMatch(/^\| T1 into a fresh store +\| 2\.00 \(2\.00–9\.00\) \|.*missing \|$/m);
  });

  it("shows what only reading takes", () => {
    expect(operationsReport(runOf(GOOD))).toMatch(/^\| tar c +\| +– \| +– \| 0\.250 .*\|$/m);
  });

  it("leaves that out for a run that was saved without", () => {
    const { floors, ...older } = runOf(GOOD);
    expect(floors).toHaveLength(1);
    expect(operationsReport(older)).not.toContain("Floor");
  });

  it("shows the verdicts, and what was not measured as a dash", () => {
    const report = operationsReport(runOf({ ...GOOD, start: { tvix: [0.2] } }));
    expect(report).toMatch(/^\| Start-up.* 200 ms \| +at most 150 ms \| +\*\*MISS\*\* \|$/m);
    expect(report).toMatch(/^\| check of the store.*– \|$/m);
    expect(report).toContain("1,234,567");
  });
});
