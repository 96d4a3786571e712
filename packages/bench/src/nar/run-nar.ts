import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "@tvix/castore";
import { describeMachine, type Machine } from "../machine.js";
import { nixTool } from "../operations/nix-tool.js";
import type { Tool, ToolId } from "../operations/tool.js";
import { tvixTool } from "../operations/tvix-tool.js";
import type { BenchOptions } from "../options.js";
import { type Command, measure } from "../process/measure.js";
import type { RunHost } from "../run-host.js";
import { prepareTrees, Scratch } from "../scratch.js";
import { sha256OfFile } from "../sha256-of-file.js";
import { rotate } from "../statistics.js";
import { measureTree, readTree, type TreeSize } from "../trees/walk-tree.js";

/** Where a NAR goes to. */
export type Sink = "null" | "pipe" | "file";
export const SINKS: readonly Sink[] = ["null", "pipe", "file"];

/** Trees that are dumped: many small files, few large ones. */
export type DumpedTree = "T1" | "T2";
export const DUMPED_TREES: readonly DumpedTree[] = ["T1", "T2"];

/** The times of one tool with one tree and one sink, in order. */
export interface DumpFigures {
  readonly tool: ToolId;
  readonly tree: DumpedTree;
  readonly sink: Sink;
  readonly wallSeconds: number[];
  readonly cpuSeconds: number[];
  readonly peakBytes: number[];
}

/** One run as it is saved. */
export interface NarRun {
  readonly kind: "nar";
  readonly date: string;
  readonly command: string;
  readonly runs: number;
  readonly machine: Machine;
  readonly trees: Readonly<Record<DumpedTree, TreeSize>>;
  readonly tools: readonly {
    readonly id: ToolId;
    readonly label: string;
    readonly version: string;
  }[];
  readonly figures: readonly DumpFigures[];
}

interface Session {
  readonly folder: string;
  readonly trees: Readonly<Record<DumpedTree, string>>;
  readonly tools: readonly Tool[];
  readonly host: RunHost;
}

/** Dumps trees from a store of ours and, with Nix, from disk, to sinks of all kinds. */
export async function runNar(options: BenchOptions, host: RunHost): Promise<NarRun> {
  const tools = [tvixTool(true), tvixTool(false), nixTool()].filter(({ version }) => version);
  using scratch = new Scratch(options);
  const machine = describeMachine(scratch.folder);
  const { T1, T2 } = prepareTrees(scratch, options, host.say);
  const session = { folder: scratch.folder, trees: { T1, T2 }, tools, host };
  const figures: DumpFigures[] = [];
  for (const tree of DUMPED_TREES) {
    const commands = await prepare(session, tree);
    readTree(session.trees[tree]);
    for (let round = 0; round < options.runs; round++) {
      for (const sink of SINKS) {
        for (const { tool, command } of rotate(commands, round)) {
          await dump(session, { tool, tree, sink }, command, figures);
        }
      }
    }
  }
  return {
    kind: "nar",
    date: new Date().toISOString(),
    command: options.command,
    runs: options.runs,
    machine,
    trees: { T1: measureTree(T1), T2: measureTree(T2) },
    tools: tools.map(({ id, label, version = "" }) => ({ id, label, version })),
    figures,
  };
}

interface ToolCommand {
  readonly tool: ToolId;
  readonly command: Command;
}

/** Stores a tree with each tool. @throws Error when they do not dump the same */
async function prepare(
  { folder, trees, tools, host }: Session,
  tree: DumpedTree,
): Promise<ToolCommand[]> {
  const commands: ToolCommand[] = [];
  const hashes = new Set<string>();
  for (const tool of tools) {
    host.say(`${tool.label}: storing ${tree}`);
    const store = join(folder, `${tree}-${tool.id}`);
    mkdirSync(store);
    for (const command of tool.prepare(store)) {
      await measure(command, { stdout: "discard", signal: host.signal });
    }
    const { signal } = host;
    // Nix dumps from disk: that is what takes it least.
    const { stdout } =
      tool.id === "nix"
        ? { stdout: "" }
        : await measure(tool.add(store, trees[tree]), { stdout: "keep", signal });
    const command = tool.dump?.(store, trees[tree], stdout.trim());
    if (command === undefined) continue;
    commands.push({ tool: tool.id, command });
    const file = join(folder, "nar");
    await measure(into(command, "file", file), { stdout: "discard", signal });
    hashes.add(toHex(sha256OfFile(file)));
    rmSync(file);
  }
  if (hashes.size > 1) throw new Error(`The tools do not make the same NAR of ${tree}`);
  return commands;
}

async function dump(
  { folder, host }: Session,
  what: Pick<DumpFigures, "tool" | "tree" | "sink">,
  command: Command,
  figures: DumpFigures[],
): Promise<void> {
  const file = join(folder, "nar");
  const measured = into(command, what.sink, file);
  const result = await measure(measured, { stdout: "discard", signal: host.signal });
  rmSync(file, { force: true });
  const known = figures.find(
    ({ tool, tree, sink }) => tool === what.tool && tree === what.tree && sink === what.sink,
  );
  const times = known ?? { ...what, wallSeconds: [], cpuSeconds: [], peakBytes: [] };
  if (known === undefined) figures.push(times);
  times.wallSeconds.push(result.wallSeconds);
  if (result.cpuSeconds !== undefined) times.cpuSeconds.push(result.cpuSeconds);
  // Behind a pipe it would be the memory of the shell.
  if (result.peakBytes !== undefined && what.sink !== "pipe")
    times.peakBytes.push(result.peakBytes);
  host.say(`${what.tree} to ${what.sink}: ${what.tool}: ${result.wallSeconds.toFixed(2)} s`);
}

/** The command with its output led to a sink. */
function into(command: Command, sink: Sink, file: string): Command {
  if (sink === "null") return command;
  const script = sink === "pipe" ? '"$@" | cat > /dev/null' : 'file=$1; shift; exec "$@" > "$file"';
  const args = sink === "pipe" ? ["sh"] : ["sh", file];
  return {
    ...command,
    program: "sh",
    args: ["-c", script, ...args, command.program, ...command.args],
  };
}
