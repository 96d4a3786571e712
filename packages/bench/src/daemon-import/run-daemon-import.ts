import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startServer } from "../grpc/server-process.js";
import { describeMachine, type Machine } from "../machine.js";
import { cleanEnvironment } from "../operations/tool.js";
import type { BenchOptions } from "../options.js";
import { TVIX } from "../paths.js";
import { type Command, type Measurement, measure } from "../process/measure.js";
import { childrenCpuSeconds } from "../process/proc-files.js";
import type { RunHost } from "../run-host.js";
import { prepareTrees, Scratch } from "../scratch.js";
import { rotate } from "../statistics.js";
import { readTree } from "../trees/walk-tree.js";

/** Who holds the store: the command itself, or a daemon that it talks to. */
export type Way = "embedded" | "daemon";

/** What was taken in each round, in order. */
export interface WayFigures {
  readonly way: Way;
  /** T1 into an empty store. */
  readonly freshSeconds: number[];
  /** T1 again, unchanged. */
  readonly againSeconds: number[];
  /** Processor time of all processes for both, their starts included. */
  readonly cpuSeconds: number[];
  /** Largest resident memory of the command. */
  readonly peakBytes: number[];
  /** The same of the daemon. */
  readonly daemonPeakBytes: number[];
}

/** One run as it is saved. */
export interface DaemonImportRun {
  readonly kind: "daemon-import";
  readonly date: string;
  readonly command: string;
  readonly runs: number;
  readonly machine: Machine;
  readonly ways: readonly WayFigures[];
}

/** Imports T1 into a fresh store and again, without and with a daemon, `options.runs` times. */
export async function runDaemonImport(
  options: BenchOptions,
  host: RunHost,
): Promise<DaemonImportRun> {
  using scratch = new Scratch(options);
  const machine = describeMachine(scratch.folder);
  const { T1 } = prepareTrees(scratch, options, host.say);
  readTree(T1);
  const ways = (["embedded", "daemon"] as const).map(emptyFigures);
  for (let round = 0; round < options.runs; round++) {
    for (const figures of rotate(ways, round)) {
      const folder = join(scratch.folder, `${figures.way}-${round}`);
      mkdirSync(join(folder, "data"), { recursive: true });
      await runRound(figures, { folder, tree: T1, host });
      const [seconds] = figures.freshSeconds.slice(-1);
      host.say(`round ${round + 1}: ${figures.way}: ${seconds?.toFixed(2)} s`);
      scratch.remove(folder);
    }
  }
  const date = new Date().toISOString();
  const { command, runs } = options;
  return { kind: "daemon-import", date, command, runs, machine, ways };
}

function emptyFigures(way: Way): WayFigures {
  return {
    way,
    freshSeconds: [],
    againSeconds: [],
    cpuSeconds: [],
    peakBytes: [],
    daemonPeakBytes: [],
  };
}

interface Round {
  readonly folder: string;
  readonly tree: string;
  readonly host: RunHost;
}

async function runRound(figures: WayFigures, round: Round): Promise<void> {
  const cpuBefore = childrenCpuSeconds();
  if (figures.way === "embedded") await importTwice(figures, round);
  else await withDaemon(figures, round);
  const cpuAfter = childrenCpuSeconds();
  if (cpuBefore !== undefined && cpuAfter !== undefined) {
    figures.cpuSeconds.push(cpuAfter - cpuBefore);
  }
}

async function withDaemon(figures: WayFigures, round: Round): Promise<void> {
  const listen = ["--listen", "127.0.0.1:0", "--log-format", "json"];
  const server = await startServer(tvix(round, "daemon", ...listen), round.host.signal);
  try {
    await importTwice(figures, round);
    const peak = server.peakBytes();
    if (peak !== undefined) figures.daemonPeakBytes.push(peak);
  } finally {
    await server.stop();
  }
}

async function importTwice(figures: WayFigures, round: Round): Promise<void> {
  const fresh = await importOnce(round);
  const again = await importOnce(round);
  if (fresh.stdout !== again.stdout) throw new Error("Two imports of T1 gave two store paths");
  figures.freshSeconds.push(fresh.wallSeconds);
  figures.againSeconds.push(again.wallSeconds);
  if (fresh.peakBytes !== undefined) figures.peakBytes.push(fresh.peakBytes);
}

async function importOnce(round: Round): Promise<Measurement> {
  const { signal } = round.host;
  await measure({ program: "sync", args: [] }, { stdout: "discard", signal });
  return await measure(tvix(round, "import", round.tree), { stdout: "keep", signal });
}

/** The command on the store of a round. It finds the daemon there by itself. */
function tvix({ folder }: Round, command: string, ...args: string[]): Command {
  const env = cleanEnvironment({ XDG_CACHE_HOME: join(folder, "cache") });
  return { program: TVIX, args: [command, "--data-dir", join(folder, "data"), ...args], env };
}
