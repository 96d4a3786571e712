import { readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { runProgram } from "./run-program.js";

/** A target of `exports` or `imports`: a path, or conditions that lead to one. */
export type ExportTarget = string | { readonly [condition: string]: ExportTarget };

/** The fields of a `package.json` that the checks read. */
export interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, ExportTarget>>;
  readonly imports?: Readonly<Record<string, ExportTarget>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** One package of the workspace. */
export interface WorkspacePackage {
  readonly name: string;
  /** Path relative to the repository root, with forward slashes. */
  readonly directory: string;
  readonly manifest: Manifest;
}

/** The root of the repository these tools are part of. */
export const REPOSITORY_ROOT: string = resolve(import.meta.dirname, "../..");

/** All packages of the workspace without the root itself, each after those it depends on. */
export async function readWorkspace(root: string): Promise<WorkspacePackage[]> {
  const listed = await runProgram("pnpm", ["list", "--recursive", "--depth", "-1", "--json"], {
    cwd: root,
  });
  if (listed.exitCode !== 0) throw new Error(`Cannot list the workspace: ${listed.output}`);
  const entries = JSON.parse(listed.output) as readonly { readonly path: string }[];
  const packages: WorkspacePackage[] = [];
  for (const { path } of entries) {
    const directory = relative(root, path).replaceAll("\\", "/");
    if (directory === "") continue;
    const manifest = JSON.parse(await readFile(join(path, "package.json"), "utf8")) as Manifest;
    packages.push({ name: manifest.name, directory, manifest });
  }
  return sortByDependencies(packages);
}

/** Sorts packages so that each comes after its dependencies; by directory among equals. */
export function sortByDependencies(packages: readonly WorkspacePackage[]): WorkspacePackage[] {
  const byName = new Map(packages.map((item) => [item.name, item]));
  const sorted = new Set<WorkspacePackage>();
  const visiting = new Set<WorkspacePackage>();
  const visit = (item: WorkspacePackage): void => {
    if (sorted.has(item) || visiting.has(item)) return;
    visiting.add(item);
    for (const name of dependencyNames(item.manifest)) {
      const dependency = byName.get(name);
      if (dependency !== undefined) visit(dependency);
    }
    sorted.add(item);
  };
  for (const item of packages.toSorted((a, b) => (a.directory < b.directory ? -1 : 1))) visit(item);
  return [...sorted];
}

function dependencyNames(manifest: Manifest): string[] {
  return Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
}
