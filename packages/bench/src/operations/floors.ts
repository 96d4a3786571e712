import { type Command, measure } from "../process/measure.js";
import type { RunHost } from "../run-host.js";
import type { Trees } from "../trees/make-trees.js";
import { cleanEnvironment, versionOf } from "./tool.js";

/** Programs that only read a tree: what no way to store it can be much faster than. */
type FloorId = "nix-hash" | "tar";

interface Floor {
  readonly id: FloorId;
  readonly label: string;
  /** `undefined` when it is not installed. */
  readonly version: string | undefined;
  command(tree: string): Command;
}

/** The times of one of them with one tree. */
export interface RunFloor {
  readonly floor: FloorId;
  readonly label: string;
  readonly tree: keyof Trees;
  readonly wallSeconds: number[];
  readonly cpuSeconds: number[];
}

const FLOORS: readonly Floor[] = [
  {
    id: "tar",
    label: "`tar c`, into a pipe",
    version: versionOf("tar", "--version"),
    // tar reads no file when it finds that its output is /dev/null.
    command: (tree) => ({
      program: "sh",
      args: ["-c", 'tar -C "$1" -cf - . | cat > /dev/null', "sh", tree],
      env: cleanEnvironment({}),
    }),
  },
  {
    id: "nix-hash",
    label: "`nix-hash --type sha256`",
    version: versionOf("nix-hash", "--version"),
    command: (tree) => ({
      program: "nix-hash",
      args: ["--type", "sha256", tree],
      env: cleanEnvironment({}),
    }),
  },
];

/** Runs each of them with each tree, and adds the times to `found`. */
export async function measureFloors(trees: Trees, found: RunFloor[], host: RunHost): Promise<void> {
  for (const { id, label, version, command } of FLOORS) {
    if (version === undefined) continue;
    for (const tree of ["T1", "T2", "T3"] as const) {
      const { wallSeconds, cpuSeconds } = await measure(command(trees[tree]), {
        stdout: "discard",
        signal: host.signal,
      });
      const times = timesOf(found, { floor: id, label, tree });
      times.wallSeconds.push(wallSeconds);
      if (cpuSeconds !== undefined) times.cpuSeconds.push(cpuSeconds);
      host.say(`only reading: ${label}: ${tree}: ${wallSeconds.toFixed(2)} s`);
    }
  }
}

function timesOf(found: RunFloor[], what: Pick<RunFloor, "floor" | "label" | "tree">): RunFloor {
  const known = found.find(({ floor, tree }) => floor === what.floor && tree === what.tree);
  if (known !== undefined) return known;
  const times: RunFloor = { ...what, wallSeconds: [], cpuSeconds: [] };
  found.push(times);
  return times;
}
