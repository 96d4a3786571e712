import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchOptions } from "./options.js";
import { copyTree } from "./trees/copy-tree.js";
import { machineRecipe, makeTrees, type Trees, treesIn } from "./trees/make-trees.js";

/** The file system in memory that Linux always has. */
export const MEMORY_FOLDER = "/dev/shm";

/** A folder of our own for everything a run makes, removed in the end. */
export class Scratch implements Disposable {
  readonly folder: string;

  constructor(options: Pick<BenchOptions, "scratch" | "where">) {
    const parent = options.scratch ?? (options.where === "tmpfs" ? MEMORY_FOLDER : tmpdir());
    if (!existsSync(parent))
      throw new Error(`Cannot make a scratch folder: ${parent} is not there`);
    this.folder = mkdtempSync(join(parent, "tvix-bench-"));
  }

  /** Bytes that can still be written. */
  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  remove(path: string): void {
    removeTree(path);
  }

  [Symbol.dispose](): void {
    removeTree(this.folder);
  }
}

/**
 * The trees to measure with, on the file system of the scratch folder: those the user has, or new ones.
 *
 * @param say - is told what takes long
 */
export function prepareTrees(
  scratch: Scratch,
  options: Pick<BenchOptions, "trees">,
  say: (line: string) => void,
): Trees {
  const folder = options.trees ?? join(scratch.folder, "trees");
  const trees = treesIn(folder);
  if (!existsSync(trees.T1)) {
    say("Making the trees T1, T2 and T3");
    makeTrees(folder, machineRecipe());
  }
  for (const tree of Object.values(trees)) {
    if (!existsSync(tree)) throw new Error(`Cannot measure: ${tree} is not there`);
  }
  if (statSync(trees.T1).dev === statSync(scratch.folder).dev) return trees;
  say("Copying the trees to the scratch folder");
  const copies = treesIn(join(scratch.folder, "trees"));
  for (const name of ["T1", "T2", "T3"] as const) copyTree(trees[name], copies[name]);
  return copies;
}

/** Nix makes what it stores read-only, directories too, which only root can remove as they are. */
function removeTree(path: string): void {
  if (process.getuid?.() !== 0) spawnSync("chmod", ["-R", "u+w", path]);
  rmSync(path, { recursive: true, force: true });
}
