import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describeMachine, type Machine } from "../machine.js";
import { tvixTool } from "../operations/tvix-tool.js";
import type { BenchOptions } from "../options.js";
import { type Command, measure } from "../process/measure.js";
import type { RunHost } from "../run-host.js";
import { prepareTrees, Scratch } from "../scratch.js";
import type { Trees } from "../trees/make-trees.js";
import { warmMemory } from "../warm-memory.js";
import { createModuleNames } from "./bundle-modules.js";
import { type CpuProfile, summarizeThread, type ThreadSummary } from "./cpu-profile.js";

/** The profile of one import. */
export interface ProfiledImport {
  readonly title: string;
  /** Of the whole command; profiling makes it longer. */
  readonly wallSeconds: number;
  readonly cpuSeconds: number | undefined;
  readonly threads: readonly ThreadSummary[];
}

/** One run as it is saved. */
export interface ProfileRun {
  readonly kind: "profile";
  readonly date: string;
  readonly command: string;
  readonly machine: Machine;
  readonly imports: readonly ProfiledImport[];
}

interface Scenario {
  readonly title: string;
  readonly tree: keyof Trees;
  readonly compression: boolean;
  readonly store: string;
}

/** In this order: some use the store that an earlier one filled. */
const SCENARIOS: readonly Scenario[] = [
  { title: "T1 into a fresh store", tree: "T1", compression: true, store: "small" },
  { title: "T1 again, unchanged", tree: "T1", compression: true, store: "small" },
  { title: "T3 into the store with T1", tree: "T3", compression: true, store: "small" },
  { title: "T1, --no-compression", tree: "T1", compression: false, store: "small-raw" },
  { title: "T2 into a fresh store", tree: "T2", compression: true, store: "large" },
  { title: "T2, --no-compression", tree: "T2", compression: false, store: "large-raw" },
];

/** Functions that are kept of each thread: enough to explain it. */
const KEPT_FUNCTIONS = 12;

/** About what the stores of all scenarios take. */
const WARM_BYTES = 3 * 1024 * 1024 * 1024;

/** See `run-operations.ts`: time stamps must have settled. */
const SETTLE_MS = 4000;

/** Imports with the profiler on, all threads. */
export async function runProfile(options: BenchOptions, host: RunHost): Promise<ProfileRun> {
  using scratch = new Scratch(options);
  const machine = describeMachine(scratch.folder);
  const trees = prepareTrees(scratch, options, host.say);
  host.say("Warming up the memory");
  warmMemory(WARM_BYTES);
  await setTimeout(SETTLE_MS, undefined, { signal: host.signal });
  const imports: ProfiledImport[] = [];
  for (const scenario of SCENARIOS) {
    host.say(`Profiling: ${scenario.title}`);
    const output = join(scratch.folder, "profiles");
    mkdirSync(output);
    const store = join(scratch.folder, scenario.store);
    const command = tvixTool(scenario.compression).add(store, trees[scenario.tree]);
    const result = await measure(withProfiler(command, output), {
      stdout: "discard",
      signal: host.signal,
    });
    const { wallSeconds, cpuSeconds } = result;
    imports.push({ title: scenario.title, wallSeconds, cpuSeconds, threads: readThreads(output) });
    rmSync(output, { recursive: true });
  }
  return {
    kind: "profile",
    date: new Date().toISOString(),
    command: options.command,
    machine,
    imports,
  };
}

/** Beside this module. */
const PROFILE_WORKERS = new URL("profile-workers.js", import.meta.url).href;

/** Node writes one file for each thread into `output`. */
function withProfiler(command: Command, output: string): Command {
  const options = ["--cpu-prof", `--cpu-prof-dir=${output}`, `--import=${PROFILE_WORKERS}`];
  const args = [...options, command.program, ...command.args];
  return { ...command, program: process.execPath, args };
}

/** Node names them `CPU.DATE.TIME.PROCESS.THREAD.NUMBER.cpuprofile`. */
function threadId(fileName: string): number {
  return Number(fileName.split(".")[4]);
}

/** The main thread first, then the others by the time they were busy. */
function readThreads(output: string): ThreadSummary[] {
  const moduleName = createModuleNames();
  const threads = readdirSync(output).map((name) => {
    const profile = JSON.parse(readFileSync(join(output, name), "utf8")) as CpuProfile;
    const summary = summarizeThread(profile, threadId(name), moduleName);
    return { ...summary, functions: summary.functions.slice(0, KEPT_FUNCTIONS) };
  });
  const rank = ({ name, busyMilliseconds }: ThreadSummary): number =>
    name === "main" ? Number.POSITIVE_INFINITY : busyMilliseconds;
  return threads.sort((a, b) => (rank(a) < rank(b) ? 1 : -1));
}
