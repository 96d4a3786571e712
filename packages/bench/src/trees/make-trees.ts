import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { copyTree } from "./copy-tree.js";
import { editTree } from "./edit-tree.js";
import { makeLargeFiles } from "./large-files.js";

/** What T1 and T2 are made of. */
export interface TreeRecipe {
  /** Folders that T1 is a copy of; those that do not exist are left out. */
  readonly sources: readonly string[];
  /** Size of T2. */
  readonly largeBytes: number;
}

/** The three trees, as folders. */
export interface Trees {
  /** Many small files, from folders of this machine. */
  readonly T1: string;
  /** Five large files. */
  readonly T2: string;
  /** T1 with 1 % of its files changed. */
  readonly T3: string;
}

/** Size of T2: 1 GiB. */
const LARGE_BYTES = 1024 * 1024 * 1024;

/** Which files differ between T1 and T3, see {@link editTree}. */
export const T3_EDIT_OFFSET = 49;

/** Where the trees are in a folder that has them. */
export function treesIn(folder: string): Trees {
  return { T1: join(folder, "T1"), T2: join(folder, "T2"), T3: join(folder, "T3") };
}

/** What any Debian machine with development packages has many small files in. */
export function machineRecipe(): TreeRecipe {
  const python = existsSync("/usr/lib")
    ? readdirSync("/usr/lib").filter((name) => /^python3(\.\d+)?$/.test(name))
    : [];
  return {
    sources: [
      "/usr/lib/node_modules",
      "/usr/include",
      ...["doc", "man", "perl"].map((name) => `/usr/share/${name}`),
      ...python.map((name) => `/usr/lib/${name}`),
    ],
    largeBytes: LARGE_BYTES,
  };
}

/** Where trees are while they are made: what was interrupted is not taken for a tree. */
const UNFINISHED = "unfinished";

/**
 * Makes the trees in `folder`, which is created. The same sources give the same trees.
 *
 * @throws Error when none of the sources exists, or a tree is there already
 */
export function makeTrees(folder: string, recipe: TreeRecipe): Trees {
  const sources = recipe.sources.filter((source) => existsSync(source));
  if (sources.length === 0) {
    throw new Error(`Cannot make trees: there is none of ${recipe.sources.join(", ")}`);
  }
  const trees = treesIn(folder);
  for (const tree of Object.values(trees)) {
    if (existsSync(tree)) throw new Error(`Cannot make trees: ${tree} exists`);
  }
  const unfinished = join(folder, UNFINISHED);
  rmSync(unfinished, { recursive: true, force: true });
  fillTrees(treesIn(unfinished), sources, recipe.largeBytes);
  // T1 last: whoever finds it finds all.
  for (const name of ["T2", "T3", "T1"] as const) {
    renameSync(join(unfinished, name), trees[name]);
  }
  rmSync(unfinished, { recursive: true });
  return trees;
}

function fillTrees(trees: Trees, sources: readonly string[], largeBytes: number): void {
  mkdirSync(trees.T1, { recursive: true });
  for (const source of sources) {
    const target = join(trees.T1, source);
    mkdirSync(join(target, ".."), { recursive: true });
    copyTree(source, target, { skip: isCompiledPython });
  }
  makeLargeFiles(trees.T2, trees.T1, largeBytes);
  copyTree(trees.T1, trees.T3);
  editTree(trees.T3, T3_EDIT_OFFSET);
}

/** Python writes these whenever it likes; they would make every run another tree. */
function isCompiledPython(name: string): boolean {
  return name === "__pycache__" || name.endsWith(".pyc");
}
