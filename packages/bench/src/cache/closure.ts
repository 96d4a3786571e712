import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { writeSeededFile } from "../primitives/seeded-bytes.js";
import type { Trees } from "../trees/make-trees.js";
import { walkTree } from "../trees/walk-tree.js";
import type { ClosureFacts } from "./cache-run.js";
import { exportStream } from "./export-stream.js";
import type { Nix } from "./nix.js";
import type { CacheSizes } from "./sizes.js";

/** A directory with fewer files is no path of its own: closures have few such. */
const FEWEST_FILES = 5;

/** Most that is in the large file of the closure to warm up with. */
const WARM_BYTES = 64 * 1024 * 1024;

/** What the name of a store path may consist of. */
const NAME = /^[0-9A-Za-z+_?=-][0-9A-Za-z+._?=-]{0,190}$/;

/** How many paths one command adds. */
const ADDED_AT_ONCE = 100;

/** A path that refers to all others, in a store of Nix. */
export interface Closure extends ClosureFacts {
  /** Root of the store of Nix that has it. */
  readonly store: string;
  /** The path that needs all others. */
  readonly root: string;
  readonly storePaths: readonly string[];
}

/** What is copied and measured, and what is copied before that: the same kind of things, but others. */
export interface Closures {
  readonly measured: Closure;
  readonly warm: Closure;
}

/**
 * Closures like that of a system: a path for every second directory of T1, one with a large file that does
 * not compress, and one that refers to them all.
 */
export function makeClosures(folder: string, trees: Trees, nix: Nix, sizes: CacheSizes): Closures {
  const directories = parts(trees.T1).filter((path) => {
    const files = countFiles(path, sizes.filesOfPath + 1);
    return files >= FEWEST_FILES && files <= sizes.filesOfPath;
  });
  const half = (rest: number): string[] =>
    directories.filter((_, i) => i % 2 === rest).slice(0, sizes.paths);
  const make = (name: string, found: readonly string[], largeBytes: number): Closure => {
    if (found.length === 0)
      throw new Error(`Cannot make a closure: there is little in ${trees.T1}`);
    const large = join(folder, `${name}.bin`);
    writeSeededFile(large, { seed: basename(large), length: largeBytes });
    return makeClosure(join(folder, "source"), [...found, large], nix);
  };
  mkdirSync(folder, { recursive: true });
  return {
    measured: make("measured", half(0), sizes.largeBytes),
    warm: make("warm", half(1), Math.min(sizes.largeBytes, WARM_BYTES)),
  };
}

function makeClosure(store: string, sources: readonly string[], nix: Nix): Closure {
  const added: string[] = [];
  for (let i = 0; i < sources.length; i += ADDED_AT_ONCE) {
    const some = sources.slice(i, i + ADDED_AT_ONCE);
    added.push(...nix.output("nix-store", ["--store", store, "--add", ...some]).split("\n"));
  }
  const references = [...new Set(added)].sort();
  const root = importRoot(store, references, nix);
  const narBytes = narSizes(store, [...references, root], nix);
  return {
    store,
    root,
    storePaths: [...references, root],
    paths: narBytes.length,
    narBytes: narBytes.reduce((sum, bytes) => sum + bytes, 0),
    largestBytes: Math.max(...narBytes),
  };
}

/** What belongs together in T1, such as `usr/share/doc/git` and `usr/include/linux`. */
function parts(tree: string): string[] {
  const folders = ["lib", "share"].flatMap((name) => childDirectories(join(tree, "usr", name)));
  return [join(tree, "usr/include"), ...folders]
    .flatMap(childDirectories)
    .filter((directory) => NAME.test(basename(directory)));
}

function childDirectories(directory: string): string[] {
  return readdirSync(directory)
    .sort()
    .map((name) => join(directory, name))
    .filter((path) => lstatSync(path).isDirectory());
}

function countFiles(directory: string, enough: number): number {
  let files = 0;
  for (const { stats } of walkTree(directory)) {
    if (stats.isFile() && ++files >= enough) break;
  }
  return files;
}

function importRoot(store: string, references: readonly string[], nix: Nix): string {
  const content = `${references.join("\n")}\n`;
  // Any 32 characters that nixbase32 has too.
  const hash = createHash("sha256").update(content).digest("hex").replaceAll("e", "z").slice(0, 32);
  const storePath = `/nix/store/${hash}-closure`;
  const stream = exportStream({ storePath, references, content });
  return nix.output("nix-store", ["--store", store, "--import"], stream);
}

function narSizes(store: string, storePaths: readonly string[], nix: Nix): number[] {
  const args = ["--store", store, "--query", "--size", ...storePaths];
  return nix.output("nix-store", args).split("\n").map(Number);
}
