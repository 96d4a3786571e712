import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describeMachine } from "../machine.js";
import { cleanEnvironment, versionOf } from "../operations/tool.js";
import type { BenchOptions } from "../options.js";
import { TVIX } from "../paths.js";
import { type Command, measure } from "../process/measure.js";
import { sync } from "../process/sync.js";
import type { RunHost } from "../run-host.js";
import { Scratch } from "../scratch.js";
import { rotate } from "../statistics.js";
import { warmMemory } from "../warm-memory.js";
import type { GrpcCell, GrpcRun } from "./grpc-run.js";
import { type Materials, makeMaterials, materialOf } from "./materials.js";
import { LARGE_BYTES, ROWS, type Row } from "./rows.js";
import { startServer } from "./server-process.js";
import { type ClientTask, parseResult, type Side } from "./workload.js";

/** The contents, two stores with them, and a client that holds them. */
const NEEDED_BYTES = 4.5 * LARGE_BYTES;

/** Runs every row with both sides, `options.runs` times, one pair of server and client at a time. */
export async function runGrpc(options: BenchOptions, host: RunHost): Promise<GrpcRun> {
  using scratch = new Scratch(options);
  if (scratch.freeBytes < NEEDED_BYTES) {
    throw new Error(
      `Cannot measure: ${(NEEDED_BYTES / 1e9).toFixed(1)} GB are needed in the scratch folder`,
    );
  }
  const machine = describeMachine(scratch.folder);
  host.say("Warming up the memory");
  warmMemory(NEEDED_BYTES);
  host.say("Making the contents");
  const materials = await makeMaterials(scratch.folder);
  const cells: GrpcCell[] = [];
  for (let round = 0; round < options.runs; round++) {
    for (const row of ROWS) {
      for (const side of rotate(SIDES, round)) {
        const workload = row.workloads[side];
        if (workload === undefined) continue;
        const taken = await measureRow({ scratch, materials, host }, row, { side, workload });
        record(cells, { row: row.id, side }, taken);
        const seconds = taken.seconds.toFixed(3);
        host.say(`round ${round + 1}: ${row.title} (${row.store}): ${side}: ${seconds} s`);
      }
    }
  }
  return {
    kind: "grpc",
    where: options.where,
    date: new Date().toISOString(),
    command: options.command,
    runs: options.runs,
    machine,
    versions: [versionOf(TVIX, "--version") ?? "tvix does not run", `grpc-js ${peerVersion()}`],
    cells,
  };
}

const SIDES: readonly Side[] = ["tvix", "grpc-js"];

interface Taken {
  readonly seconds: number;
  /** Of the server. */
  readonly peakBytes: number | undefined;
}

function record(
  cells: GrpcCell[],
  names: Pick<GrpcCell, "row" | "side">,
  { seconds, peakBytes }: Taken,
): void {
  let cell = cells.find(({ row, side }) => row === names.row && side === names.side);
  if (cell === undefined) {
    cell = { ...names, seconds: [], serverPeakBytes: [] };
    cells.push(cell);
  }
  cell.seconds.push(seconds);
  if (peakBytes !== undefined) cell.serverPeakBytes.push(peakBytes);
}

interface Session {
  readonly scratch: Scratch;
  readonly materials: Materials;
  readonly host: RunHost;
}

/** One measurement, with a server and a client of its own. */
async function measureRow(
  { scratch, materials, host: { signal } }: Session,
  row: Row,
  { side, workload }: Pick<ClientTask, "side" | "workload">,
): Promise<Taken> {
  const fresh = join(scratch.folder, "fresh");
  const directory = row.store === "filled" ? materials.filledStore : fresh;
  const server = await startServer(
    serverCommand(side, row.store === "discarding" ? undefined : directory),
    signal,
  );
  try {
    const { address } = server;
    const task = { side, address, workload, ...materialOf(row, workload, materials) };
    await sync(signal);
    const { stdout } = await measure(clientCommand(task), { stdout: "keep", signal });
    return { ...parseResult(stdout), peakBytes: server.peakBytes() };
  } finally {
    await server.stop();
    scratch.remove(fresh);
  }
}

/** The real daemon where there is a store; else our server around the one that discards. */
function serverCommand(side: Side, directory: string | undefined): Command {
  if (side === "tvix" && directory !== undefined) {
    const listen = ["--listen", "127.0.0.1:0", "--log-format", "json"];
    const args = ["daemon", ...listen, "--data-dir", directory];
    return { program: TVIX, args, env: cleanEnvironment({}) };
  }
  const args = directory === undefined ? [side] : [side, directory];
  return nodeCommand("server-main.js", ...args);
}

function clientCommand(task: ClientTask): Command {
  return nodeCommand("client-main.js", JSON.stringify(task));
}

function nodeCommand(script: string, ...args: string[]): Command {
  return { program: process.execPath, args: [join(import.meta.dirname, script), ...args] };
}

function peerVersion(): string {
  const file = createRequire(import.meta.url).resolve("@grpc/grpc-js/package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return version;
}
