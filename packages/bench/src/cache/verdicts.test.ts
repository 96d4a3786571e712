import { describe, expect, it } from "vitest";
import { cacheReport } from "../report/cache-report.js";
import { SOME_MACHINE } from "../testing/some-machine.js";
import type { CacheSide, CopiesRun, CopyCell, NarinfoRun, NarsRun } from "./cache-run.js";
import { judgeCopies, judgeMemory, judgeNarinfo } from "./verdicts.js";

const HEAD = {
  kind: "cache",
  date: "2026-01-02T03:04:05.678Z",
  command: "pnpm bench cache",
  runs: 3,
  machine: SOME_MACHINE,
  versions: ["tvix 1", "nginx/2"],
} as const;

const CLOSURE = { paths: 1234, narBytes: 5_000_000, largestBytes: 2_000_000 };

function copies(ours: readonly number[], theirs: readonly number[]): CopiesRun {
  const cell = (side: CacheSide, seconds: readonly number[]): CopyCell => ({
    direction: "from",
    side,
    seconds: [...seconds],
    clientCpuSeconds: [0.5],
    serverPeakBytes: [2 ** 27],
  });
  const cells = [cell("tvix", ours), cell("nginx", theirs)];
  return { ...HEAD, part: "copies", closure: CLOSURE, cells };
}

function narinfos(ours: readonly number[], theirs: readonly number[]): NarinfoRun {
  const results = (rates: readonly number[]) =>
    rates.map((requestsPerSecond) => ({ requestsPerSecond, p50Ms: 0.25, p99Ms: 1.5 }));
  const cells = [
    { connections: 16, side: "tvix" as const, results: results(ours) },
    { connections: 16, side: "nginx" as const, results: results(theirs) },
  ];
  return { ...HEAD, part: "narinfo", closure: CLOSURE, cells };
}

function nars(small: readonly number[], large: readonly number[]): NarsRun {
  const cell = { direction: "put", side: "tvix" } as const;
  const cells = [
    { ...cell, narBytes: 16 * 2 ** 20, seconds: [1], serverPeakBytes: [...large] },
    { ...cell, narBytes: 2 ** 20, seconds: [0.5], serverPeakBytes: [...small] },
  ];
  return { ...HEAD, part: "nars", cells };
}

describe("judgeCopies()", () => {
  it.each([
    { title: "the limit", ours: [9, 1.2, 1], theirs: [1, 1, 1], verdict: "PASS" },
    { title: "more", ours: [1.2, 1.201, 1.202], theirs: [1, 1, 1], verdict: "MISS" },
    { title: "two runs", ours: [1, 1], theirs: [1, 1, 1], verdict: "too few runs" },
    { title: "nothing of the peer", ours: [1, 1, 1], theirs: [], verdict: "not measured" },
  ])("says $verdict of $title", ({ ours, theirs, verdict }) => {
    expect(judgeCopies(copies(ours, theirs), "from").verdict).toBe(verdict);
  });

  it("does not take one direction for the other", () => {
    expect(judgeCopies(copies([1, 1, 1], [1, 1, 1]), "to").verdict).toBe("not measured");
  });
});

describe("judgeNarinfo()", () => {
  it.each([
    { title: "a third", ours: [10, 10, 10], verdict: "PASS" },
    { title: "less", ours: [9.9, 9.9, 99], verdict: "MISS" },
  ])("says $verdict of $title", ({ ours, verdict }) => {
    expect(judgeNarinfo(narinfos(ours, [30, 30, 30]).cells, 16).verdict).toBe(verdict);
  });
});

describe("judgeMemory()", () => {
  it.each([
    { title: "a quarter more", large: [125, 125, 300], verdict: "PASS" },
    { title: "more", large: [126, 126, 100], verdict: "MISS" },
  ])("says $verdict of $title for the largest NAR", ({ large, verdict }) => {
    expect(judgeMemory(nars([100, 100, 100], large), "put").verdict).toBe(verdict);
  });

  it("needs two sizes", () => {
    const run = nars([1, 1, 1], [1, 1, 1]);
    const one = { ...run, cells: run.cells.slice(0, 1) };
    expect(judgeMemory(one, "put")).toEqual({ ratio: undefined, verdict: "not measured" });
  });
});

describe("cacheReport()", () => {
  it("tells the closure, the times and the verdict of copies", () => {
    const report = cacheReport(copies([1.5, 1.5, 1.5], [1, 1, 1]));
    expect(report).toContain("1,234 paths, 5.0 MB of NARs, the largest 2.0 MB");
    expect(report).toMatch(/`nix copy --from` .* 1\.50x \| at most 1\.20x \| +\*\*MISS\*\* \|/);
    expect(report).toMatch(/`nix copy --to` +\| +– /);
    expect(report).toContain("tvix 1, nginx/2");
  });

  it("tells rates and latencies of narinfos", () => {
    const report = cacheReport(narinfos([12, 12, 12], [30, 30, 30]));
    expect(report).toMatch(/0\.40x \| at least 0\.33x \| +PASS \| +0\.250 \| +1\.500 \|/);
  });

  it("tells memory and speed of single NARs", () => {
    const MEBIBYTE = 2 ** 20;
    const report = cacheReport(nars([MEBIBYTE, MEBIBYTE, MEBIBYTE], [2 * MEBIBYTE]));
    expect(report).toMatch(/\| +1\.00 \(1\.00–1\.00\) \| +2\.00 \| +2\.00x \| at most 1\.25x \|/);
    expect(report).toMatch(/\| PUT, 16 MiB \| 16\.8 \|/);
  });
});
