import { describe, expect, it } from "vitest";
import {
  DUMPED_TREES,
  type DumpedTree,
  type DumpFigures,
  type NarRun,
  SINKS,
} from "../nar/run-nar.js";
import type { ToolId } from "../operations/tool.js";
import { SOME_MACHINE } from "../testing/some-machine.js";
import { narReport } from "./nar-report.js";

function runWith(seconds: Readonly<Record<"tvix" | "nix", number>>): NarRun {
  const figures = (tool: ToolId, tree: DumpedTree): DumpFigures[] =>
    SINKS.map((sink) => ({
      tool,
      tree,
      sink,
      wallSeconds: [seconds[tool === "nix" ? "nix" : "tvix"], 100, 0.001],
      cpuSeconds: [],
      peakBytes: sink === "pipe" ? [] : [1024 * 1024, 2 * 1024 * 1024],
    }));
  const size = { files: 1, directories: 1, symlinks: 0, bytes: 1 };
  return {
    kind: "nar",
    date: "2026-01-02T03:04:05.000Z",
    command: "pnpm bench nar",
    runs: 3,
    machine: SOME_MACHINE,
    trees: { T1: size, T2: size },
    tools: [
      { id: "tvix", label: "tvix", version: "tvix 1" },
      { id: "nix", label: "nix-store", version: "nix 2" },
    ],
    figures: DUMPED_TREES.flatMap((tree) => [...figures("tvix", tree), ...figures("nix", tree)]),
  };
}

describe("narReport()", () => {
  it.each([
    [1.2, ["PASS", "PASS"]],
    [1.3, ["PASS", "**MISS**"]],
    [1.6, ["**MISS**", "**MISS**"]],
  ])("holds the medians %d and 1 against the limits of both trees", (tvix, verdicts) => {
    const report = narReport(runWith({ tvix, nix: 1 }));
    for (const [i, tree] of DUMPED_TREES.entries()) {
      const row = report.split("\n").find((line) => line.includes(`${tree} to /dev/null: tvix`));
      expect(row).toContain(`${tvix.toFixed(2)}x`);
      expect(row?.includes("**MISS**") ? "**MISS**" : "PASS").toBe(verdicts[i]);
    }
  });

  it("tells the largest memory, and where none was measured", () => {
    const report = narReport(runWith({ tvix: 1, nix: 1 }));
    expect(report).toMatch(/memory, MiB[^\n]*\n[^\n]*\n\| T1 to \/dev\/null +\| +2 \| +2 \|/);
    expect(report).toMatch(/T1 into a pipe, to cat +\| +– \| +– \|/);
  });
});
