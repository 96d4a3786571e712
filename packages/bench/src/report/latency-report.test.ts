import { describe, expect, it } from "vitest";
import type { LatencyRun } from "../latency/latency-run.js";
import { SOME_MACHINE } from "../testing/some-machine.js";
import { latencyReport } from "./latency-report.js";

function runWith(here: number, far: number): LatencyRun {
  const figures = (seconds: number) => ({
    seconds: [seconds, seconds + 1, seconds - 1],
    sentBytes: 1_234_567,
    receivedBytes: 999,
  });
  return {
    kind: "latency",
    date: "2026-01-02T03:04:05.000Z",
    command: "pnpm bench latency",
    runs: 3,
    machine: SOME_MACHINE,
    paths: 200,
    files: 20_000,
    rows: [{ title: "copy", here: figures(here), far: figures(far) }],
  };
}

describe("latencyReport()", () => {
  it.each([
    [2, 6, "3.00x", "80", "PASS"],
    [2, 6.1, "3.05x", "82", "**MISS**"],
    [2, 1.9, "0.95x", "0", "PASS"],
  ])(
    "holds medians of %d and %d seconds against the limit",
    (here, far, factor, waits, verdict) => {
      const [row = ""] = latencyReport(runWith(here, far)).split("\n").slice(-1);
      const cells = row.split("|").map((cell) => cell.trim());
      expect(cells.slice(4, 8)).toEqual([factor, waits, "1,235, 1", verdict]);
    },
  );
});
