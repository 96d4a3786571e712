import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeMachine } from "../machine.js";
import { versionOf } from "../operations/tool.js";
import type { BenchOptions } from "../options.js";
import { TVIX } from "../paths.js";
import { measure } from "../process/measure.js";
import { sync } from "../process/sync.js";
import type { RunHost } from "../run-host.js";
import { prepareTrees, Scratch } from "../scratch.js";
import { rotate } from "../statistics.js";
import { measureTree, readTree } from "../trees/walk-tree.js";
import { peerVersions, prepareFileSystems, type ServedFileSystem } from "./file-systems.js";
import {
  FILE_SYSTEMS,
  type FileSystemId,
  type MountCell,
  type MountRun,
  TEMPERATURES,
  WORKS,
  type WorkId,
} from "./mount-run.js";
import { MountedFileSystem } from "./mounted-file-system.js";
import { walkedMemory } from "./walked-memory.js";
import { commandsOf, type MountedTrees } from "./work.js";

interface Session {
  readonly folder: string;
  readonly host: RunHost;
  readonly native: MountedTrees;
  readonly served: readonly ServedFileSystem[];
  readonly cells: MountCell[];
}

/** Works with the same trees on a file system of the kernel, through our mount and through those of others. */
export async function runMount(options: BenchOptions, host: RunHost): Promise<MountRun> {
  using scratch = new Scratch(options);
  const machine = describeMachine(scratch.folder);
  const native = prepareTrees(scratch, options, host.say);
  host.say("Storing the trees");
  const served = await prepareFileSystems(scratch.folder, native, host.signal);
  readTree(native.T1);
  readTree(native.T2);
  const session: Session = { folder: scratch.folder, host, native, served, cells: [] };
  for (let round = 0; round < options.runs; round++) {
    for (const id of rotate(FILE_SYSTEMS, round)) {
      host.say(`round ${round + 1}: ${id}`);
      for (const work of WORKS) await workOn(session, id, work);
    }
  }
  host.say("Walking a million entries");
  const memory = await walkedMemory(scratch.folder, host.signal);
  return {
    kind: "mount",
    where: options.where,
    date: new Date().toISOString(),
    command: options.command,
    runs: options.runs,
    machine,
    versions: [versionOf(TVIX, "--version") ?? "tvix", ...peerVersions()],
    trees: { T1: measureTree(native.T1), T2: measureTree(native.T2) },
    cells: session.cells,
    memory,
  };
}

/** Does a work right after mounting, and once more. */
async function workOn(session: Session, id: FileSystemId, work: WorkId): Promise<void> {
  const { host, folder, native, served } = session;
  await dropCaches(session);
  const system = served.find((one) => one.id === id);
  if (system === undefined) {
    await workTwice(session, id, work, native);
    return;
  }
  const mountPoint = join(folder, "mount");
  const command = system.command(mountPoint);
  await using _mounted = await MountedFileSystem.start(command, mountPoint, host.signal);
  await workTwice(session, id, work, system.trees(mountPoint));
}

async function workTwice(
  session: Session,
  fileSystem: FileSystemId,
  work: WorkId,
  trees: MountedTrees,
): Promise<void> {
  for (const temperature of TEMPERATURES) {
    const seconds = await secondsOf(work, trees, session.host.signal);
    cellOf(session.cells, { fileSystem, work, temperature }).seconds.push(seconds);
    session.host.say(`  ${work}, ${temperature}: ${seconds.toFixed(3)} s`);
  }
}

/** Readers say themselves how long they read, without their start; of several, the slowest counts. */
async function secondsOf(work: WorkId, trees: MountedTrees, signal: AbortSignal): Promise<number> {
  const isReader = work === "random-1" || work === "random-4";
  const stdout = isReader ? "keep" : "discard";
  const done = await Promise.all(
    commandsOf(work, trees).map((command) => measure(command, { stdout, signal })),
  );
  return Math.max(...done.map((one) => (isReader ? Number(one.stdout) : one.wallSeconds)));
}

function cellOf(cells: MountCell[], what: Omit<MountCell, "seconds">): MountCell {
  const known = cells.find(
    ({ fileSystem, work, temperature }) =>
      fileSystem === what.fileSystem && work === what.work && temperature === what.temperature,
  );
  if (known !== undefined) return known;
  const cell = { ...what, seconds: [] };
  cells.push(cell);
  return cell;
}

const DROP_CACHES = "/proc/sys/vm/drop_caches";

/** Has the kernel forget files and names, so that they come from the disk again. What is in memory anyway stays. */
async function dropCaches({ host: { signal } }: Session): Promise<void> {
  await sync(signal);
  if (process.getuid?.() === 0 && existsSync(DROP_CACHES)) writeFileSync(DROP_CACHES, "3");
}
