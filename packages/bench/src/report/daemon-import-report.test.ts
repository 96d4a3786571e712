import { describe, expect, it } from "vitest";
import type { DaemonImportRun, Way } from "../daemon-import/run-daemon-import.js";
import { SOME_MACHINE } from "../testing/some-machine.js";
import { daemonImportReport } from "./daemon-import-report.js";

function runWith(embedded: number, daemon: number): DaemonImportRun {
  const figures = (way: Way, seconds: number) => ({
    way,
    freshSeconds: [seconds, seconds + 1, seconds - 1],
    againSeconds: [0.5],
    cpuSeconds: [],
    peakBytes: [1024 * 1024, 2 * 1024 * 1024],
    daemonPeakBytes: [],
  });
  return {
    kind: "daemon-import",
    date: "2026-01-02T03:04:05.000Z",
    command: "pnpm bench daemon-import",
    runs: 3,
    machine: SOME_MACHINE,
    ways: [figures("embedded", embedded), figures("daemon", daemon)],
  };
}

describe("daemonImportReport()", () => {
  it.each([
    [2, 3, "1.50x", "PASS"],
    [2, 3.02, "1.51x", "**MISS**"],
  ])("holds the medians %d and %d against the limit", (embedded, daemon, figure, verdict) => {
    const report = daemonImportReport(runWith(embedded, daemon));
    expect(report).toMatch(new RegExp(`\\| +${figure} \\| at most 1.50x \\|`));
    expect(report).toContain(verdict);
  });

  it("tells the largest memory, and where none was measured", () => {
    const report = daemonImportReport(runWith(2, 3));
    expect(report).toMatch(/memory of the command, MiB +\| +2 \| +2 \|/);
    expect(report).toMatch(/memory of the daemon, MiB +\| +– \| +– \|/);
  });
});
