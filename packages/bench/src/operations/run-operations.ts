import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describeMachine } from "../machine.js";
import type { BenchOptions } from "../options.js";
import { measure } from "../process/measure.js";
import { sync } from "../process/sync.js";
import type { RunHost } from "../run-host.js";
import { prepareTrees, Scratch } from "../scratch.js";
import { rotate } from "../statistics.js";
import { copyTree } from "../trees/copy-tree.js";
import type { Trees } from "../trees/make-trees.js";
import { measureTree, readTree } from "../trees/walk-tree.js";
import { warmMemory } from "../warm-memory.js";
import { measureFloors, type RunFloor } from "./floors.js";
import { nixTool } from "./nix-tool.js";
import { OPERATIONS, type Operation, type Workplace } from "./operations.js";
import type { OperationsRun } from "./operations-run.js";
import { Recorder } from "./recorder.js";
import { resticTool } from "./restic-tool.js";
import type { Tool } from "./tool.js";
import { tvixTool } from "./tvix-tool.js";

/** Programs that remember time stamps trust only those that are some seconds old. */
const SETTLE_MS = 4000;

/** Runs every operation with every tool, `options.runs` times, one command at a time. */
export async function runOperations(options: BenchOptions, host: RunHost): Promise<OperationsRun> {
  const tools = [tvixTool(true), tvixTool(false), nixTool(), resticTool()];
  if (tools[0]?.version === undefined) throw new Error("Cannot measure: tvix does not run");
  for (const { label, version, source } of tools) {
    if (version === undefined) host.say(`Missing: ${label} (${source})`);
  }
  using scratch = new Scratch(options);
  const machine = describeMachine(scratch.folder);
  const trees = prepareTrees(scratch, options, host.say);
  const sizes = {
    T1: measureTree(trees.T1),
    T2: measureTree(trees.T2),
    T3: measureTree(trees.T3),
  };
  checkSpace(scratch, options, sizes.T1.bytes, sizes.T2.bytes);
  host.say("Warming up the memory");
  warmMemory(storeBytes(sizes.T1.bytes, sizes.T2.bytes));
  const recorder = new Recorder();
  const session = { scratch, trees, options, recorder, host };
  const installed = tools.filter((tool) => tool.version !== undefined);
  const floors: RunFloor[] = [];
  for (let round = 0; round < options.runs; round++) {
    for (const tool of rotate(installed, round)) await runTool(session, tool, round);
    await measureFloors(trees, floors, host);
  }
  return {
    kind: "operations",
    where: options.where,
    date: new Date().toISOString(),
    command: options.command,
    runs: options.runs,
    machine,
    trees: sizes,
    tools: tools.map(({ id, label, version, source }) => ({ id, label, version, source })),
    cells: recorder.cells,
    sizes: recorder.sizes,
    floors,
  };
}

interface Session {
  readonly scratch: Scratch;
  readonly trees: Trees;
  readonly options: BenchOptions;
  readonly recorder: Recorder;
  readonly host: RunHost;
}

/** All operations with one tool, in fresh folders. */
async function runTool(session: Session, tool: Tool, round: number): Promise<void> {
  const { scratch, trees, options, host } = session;
  const folder = join(scratch.folder, `round-${round}-${tool.id}`);
  const sources = { ...trees, T1: join(folder, "T1") };
  copyTree(trees.T1, sources.T1);
  const stores = { main: join(folder, "main"), second: join(folder, "second") };
  for (const store of Object.values(stores)) {
    mkdirSync(store);
    for (const command of tool.prepare(store)) {
      await measure(command, { stdout: "discard", signal: host.signal });
    }
  }
  // Sources come from memory, on a disk too: how fast it reads is not the question.
  for (const tree of Object.values(sources)) readTree(tree);
  await setTimeout(SETTLE_MS, undefined, { signal: host.signal });
  let storePath = "";
  for (const operation of OPERATIONS) {
    const place = { ...sources, store: stores[operation.store], storePath };
    const title = `round ${round + 1}: ${tool.label}: ${operation.title}`;
    const printed = await runOperation(session, { operation, tool, place, title });
    if (operation.id === "add-t1" && tool.printsStorePath) storePath = printed;
  }
  // In memory the next tool then gets the same, warm memory. Not on a disk: there, making files soon
  // after others were removed can take several times longer.
  if (options.where === "tmpfs") scratch.remove(folder);
}

interface Step {
  readonly operation: Operation;
  readonly tool: Tool;
  readonly place: Workplace;
  readonly title: string;
}

/** @returns what the command printed */
async function runOperation(
  { recorder, host }: Session,
  { operation, tool, place, title }: Step,
): Promise<string> {
  operation.before?.(place);
  let printed = "";
  for (let i = 0; i < operation.repeat; i++) {
    const command = operation.command(tool, place);
    if (command === undefined) return printed;
    await sync(host.signal);
    const stdout = operation.adds ? "keep" : "discard";
    const result = await measure(command, { stdout, signal: host.signal });
    recorder.add(operation, tool, result);
    host.say(`${title}: ${result.wallSeconds.toFixed(2)} s`);
    printed = result.stdout.trim();
  }
  if (operation.adds) {
    recorder.addSize(operation, tool, place.store);
    if (tool.printsStorePath) recorder.checkStorePath(operation, tool, printed);
  }
  return printed;
}

/** What the stores of a tool take at most: it keeps three trees like T1, and T2 twice, as they are. */
function storeBytes(smallBytes: number, largeBytes: number): number {
  // Small files take whole blocks, and T1 is copied.
  return 1.3 * 4 * smallBytes + 2 * largeBytes;
}

function checkSpace(
  scratch: Scratch,
  options: BenchOptions,
  smallBytes: number,
  largeBytes: number,
): void {
  const tools = options.where === "tmpfs" ? 1 : 4 * options.runs;
  const needed = tools * storeBytes(smallBytes, largeBytes);
  if (needed <= scratch.freeBytes) return;
  const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);
  throw new Error(
    `Cannot measure: up to ${gigabytes(needed)} GB are needed in the scratch folder, ${gigabytes(scratch.freeBytes)} GB are free`,
  );
}
