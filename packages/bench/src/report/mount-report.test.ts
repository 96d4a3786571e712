import { describe, expect, it } from "vitest";
import type { MountCell, MountRun } from "../mount/mount-run.js";
import { SOME_MACHINE } from "../testing/some-machine.js";
import { mountReport } from "./mount-report.js";

const SIZE = { files: 3, directories: 2, symlinks: 1, bytes: 4567 };

function runOf(cells: readonly MountCell[], residentBytes = 1): MountRun {
  return {
    kind: "mount",
    where: "tmpfs",
    date: "2026-11-21T00:00:00.000Z",
    command: "pnpm bench mount --runs 3",
    runs: 3,
    machine: SOME_MACHINE,
    versions: [],
    trees: { T1: SIZE, T2: SIZE },
    cells,
    memory: { entries: 1_000_000, residentBytes, seconds: 12.5 },
  };
}

function rowOf(report: string, title: string, table: "cold" | "warm"): string {
  const lines = report.split("\n").filter((line) => line.includes(title));
  return (table === "cold" ? lines[0] : lines[1]) ?? "";
}

describe("mountReport()", () => {
  it("holds cold times against squashfuse_ll, by their medians", () => {
    const cold = { work: "tar", temperature: "cold" } as const;
    const faster = runOf([
      { ...cold, fileSystem: "tvix", seconds: [9, 1, 2] },
      { ...cold, fileSystem: "squashfuse", seconds: [4, 4, 4] },
    ]);
    expect(rowOf(mountReport(faster), "tar c", "cold")).toMatch(/0\.50x \|\s+PASS/);
    const slower = runOf([
      { ...cold, fileSystem: "tvix", seconds: [5, 5, 5] },
      { ...cold, fileSystem: "squashfuse", seconds: [4, 4, 4] },
    ]);
    expect(rowOf(mountReport(slower), "tar c", "cold")).toMatch(/1\.25x \|\s+\*\*MISS\*\*/);
  });

  it("holds warm times against the kernel's own file system, with room for noise", () => {
    const warm = { work: "find", temperature: "warm" } as const;
    const cells = (ours: number): MountCell[] => [
      { ...warm, fileSystem: "tvix", seconds: [ours, ours, ours] },
      { ...warm, fileSystem: "native", seconds: [1, 1, 1] },
      { ...warm, fileSystem: "squashfuse", seconds: [0.1, 0.1, 0.1] },
    ];
    expect(rowOf(mountReport(runOf(cells(1.09))), "find", "warm")).toMatch(/1\.09x \|\s+PASS/);
    expect(rowOf(mountReport(runOf(cells(1.2))), "find", "warm")).toMatch(/\*\*MISS\*\*/);
  });

  it("does not judge what was not measured", () => {
    expect(rowOf(mountReport(runOf([])), "grep -r", "cold")).toContain("not measured");
  });

  it("tells of the memory after a million entries", () => {
    const mebibyte = 1024 * 1024;
    expect(mountReport(runOf([], 250 * mebibyte))).toContain("250 MiB (at most 300 MiB): PASS");
    expect(mountReport(runOf([], 301 * mebibyte))).toContain("301 MiB (at most 300 MiB): **MISS**");
  });
});
