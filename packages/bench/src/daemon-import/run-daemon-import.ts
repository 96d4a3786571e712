import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startServer } from "../grpc/server-process.js";
import { describeMachine, type Machine } from "../machine.js";
import { cleanEnvironment } from "../operations/tool.js";
import type { BenchOptions } from "../options.js";
import { TVIX } from "../paths.js";
import { type Command, type Measurement, measure } from "../process/measure.js";
import { childrenCpuSeconds } from "../process/proc-files.js";
import { sync } from "../process/sync.js";
import type { RunHost } from "../run-host.js";
import { prepareTrees, Scratch } from "../scratch.js";
import { rotate } from "../statistics.js";
import { readTree } from "../trees/walk-tree.js";
import { makeWarmTree } from "../trees/warm-tree.js";

/** Who holds the store: the command itself, or a daemon that it talks to. */
export type Way = "embedded" | "daemon";

/** What was taken in each round, in order. */
export interface WayFigures {
  readonly way: Way;
  /** T1 into an empty store. */
  readonly freshSeconds: number[];
  /** T1 again, unchanged. */
  readonly againSeconds: number[];
  /** Processor time of both, with what the daemon spends on them. */
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

/**
 * Imports T1 into a new store and again, without and with a daemon, `options.runs` times. Each store has a
 * small tree before, of which nothing occurs in T1, so that the daemon has imported something already.
 */
export async function runDaemonImport(
  options: BenchOptions,
  host: RunHost,
): Promise<DaemonImportRun> {
  using scratch = new Scratch(options);
  const machine = describeMachine(scratch.folder);
  const { T1, T2 } = prepareTrees(scratch, options, host.say);
  const warmTree = join(scratch.folder, "warm");
  makeWarmTree(warmTree, T2);
  readTree(T1);
  const ways = (["embedded", "daemon"] as const).map(emptyFigures);
  for (let round = 0; round < options.runs; round++) {
    for (const figures of rotate(ways, round)) {
      const folder = join(scratch.folder, `${figures.way}-${round}`);
      mkdirSync(join(folder, "data"), { recursive: true });
      await runRound(figures, { folder, warmTree, tree: T1, host });
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
  readonly warmTree: string;
  readonly tree: string;
  readonly host: RunHost;
}

async function runRound(figures: WayFigures, round: Round): Promise<void> {
  if (figures.way === "embedded") await importAll(figures, round, () => 0);
  else await withDaemon(figures, round);
}

async function withDaemon(figures: WayFigures, round: Round): Promise<void> {
  const listen = ["--listen", "127.0.0.1:0", "--log-format", "json"];
  const server = await startServer(tvix(round, "daemon", ...listen), round.host.signal);
  try {
    await importAll(figures, round, () => server.cpuSeconds());
    const peak = server.peakBytes();
    if (peak !== undefined) figures.daemonPeakBytes.push(peak);
  } finally {
    await server.stop();
  }
}

/** @param daemonSeconds - processor time of the daemon so far */
async function importAll(
  figures: WayFigures,
  round: Round,
  daemonSeconds: () => number | undefined,
): Promise<void> {
  await importOnce(round, round.warmTree);
  const spent = () => [childrenCpuSeconds(), daemonSeconds()] as const;
  const before = spent();
  const fresh = await importOnce(round, round.tree);
  const again = await importOnce(round, round.tree);
  figures.cpuSeconds.push(...secondsBetween(before, spent()));
  if (fresh.stdout !== again.stdout) throw new Error("Two imports of T1 gave two store paths");
  figures.freshSeconds.push(fresh.wallSeconds);
  figures.againSeconds.push(again.wallSeconds);
  if (fresh.peakBytes !== undefined) figures.peakBytes.push(fresh.peakBytes);
}

/** What two times grew by together; nothing where one is not known. */
function secondsBetween(
  before: readonly (number | undefined)[],
  after: readonly (number | undefined)[],
): number[] {
  const grown = after.map((seconds, i) => (seconds ?? Number.NaN) - (before[i] ?? Number.NaN));
  const sum = grown.reduce((total, seconds) => total + seconds, 0);
  return Number.isNaN(sum) ? [] : [sum];
}

async function importOnce(round: Round, tree: string): Promise<Measurement> {
  const { signal } = round.host;
  await sync(signal);
  return await measure(tvix(round, "import", tree), { stdout: "keep", signal });
}

/** The command on the store of a round. It finds the daemon there by itself. */
function tvix({ folder }: Round, command: string, ...args: string[]): Command {
  const env = cleanEnvironment({ XDG_CACHE_HOME: join(folder, "cache") });
  return { program: TVIX, args: [command, "--data-dir", join(folder, "data"), ...args], env };
}
