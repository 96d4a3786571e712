import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "../process/measure.js";
import type { WorkId } from "./mount-run.js";

/** Where the trees are below a mount point. */
export interface MountedTrees {
  readonly T1: string;
  readonly T2: string;
}

/** Reads of 4 KiB that a reader makes, each at another place of the large file. */
export const RANDOM_READS = 5000;

/** Not in any file, so that all are read to their end. */
const NEEDLE = "tvix-bench: this is nowhere";

const RANDOM_READER = fileURLToPath(new URL("random-reads-main.js", import.meta.url));

/** The commands of a work, which run at the same time. */
export function commandsOf(work: WorkId, { T1, T2 }: MountedTrees): readonly Command[] {
  switch (work) {
    case "find":
      return [{ program: "find", args: [T1, "-type", "f", "-size", "+1000G"] }];
    case "du":
      return [{ program: "du", args: ["-s", T1] }];
    case "tar":
      return [shell('tar cf - -C "$1" . | cat', T1)];
    case "grep":
      return [shell(`grep -rF "${NEEDLE}" "$1"; test $? -eq 1`, T1)];
    case "sequential":
      return [{ program: "cat", args: readdirSync(T2).map((name) => join(T2, name)) }];
    case "random-1":
      return [randomReader(T2, 1)];
    case "random-4":
      return [1, 2, 3, 4].map((seed) => randomReader(T2, seed));
  }
}

function shell(script: string, argument: string): Command {
  return { program: "sh", args: ["-c", script, "sh", argument] };
}

function randomReader(folder: string, seed: number): Command {
  const args = [RANDOM_READER, join(folder, "random.bin"), String(seed), String(RANDOM_READS)];
  return { program: process.execPath, args };
}
