import { readdir, readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { type EcmaScriptModule, parseSync } from "oxc-parser";
import { lineOf } from "./syntax.js";
import type { ExportTarget, WorkspacePackage } from "./workspace.js";

/** One import or re-export of a module. */
export interface ModuleImport {
  /** As written, such as `../digest.js` or `node:fs`. */
  readonly specifier: string;
  /** True when the compiler erases the import: every name in it is a type. */
  readonly typeOnly: boolean;
  /** True for `import()`: the module is loaded when that line runs, not before this one. */
  readonly lazy: boolean;
  /** Line in the importing file, from 1. */
  readonly line: number;
  /** The files it can lead to inside the same package; several for a conditional `#name`. */
  readonly targets: readonly ImportTarget[];
}

/** A file of the same package that an import leads to. */
export interface ImportTarget {
  /** Path of the source file relative to the repository root. */
  readonly path: string;
  /** The condition of package.json's `imports` under which this target applies. */
  readonly condition?: string;
}

/** A source file and what it imports. */
export interface SourceModule {
  /** Path relative to the repository root, with forward slashes. */
  readonly path: string;
  readonly source: string;
  readonly imports: readonly ModuleImport[];
}

/** Reads and parses every `.ts` file below `src` of a package, sorted by path. */
export async function readModules(root: string, item: WorkspacePackage): Promise<SourceModule[]> {
  const directory = join(root, item.directory, "src");
  const names = await readdir(directory, { recursive: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    },
  );
  const modules: SourceModule[] = [];
  for (const name of names.filter((entry) => entry.endsWith(".ts")).sort()) {
    const path = posix.join(item.directory, "src", name.replaceAll("\\", "/"));
    modules.push(parseModule(item, path, await readFile(join(root, path), "utf8")));
  }
  return modules;
}

/** Parses one source file. Throws when it is not valid TypeScript. */
export function parseModule(item: WorkspacePackage, path: string, source: string): SourceModule {
  const { module, errors } = parseSync(path, source);
  const error = errors[0];
  if (error !== undefined) throw new Error(`Cannot parse ${path}: ${error.message}`);
  const imports = [...staticRequests(module), ...dynamicRequests(module, source)]
    .sort((a, b) => a.start - b.start)
    .map(({ start, ...request }) => ({
      ...request,
      line: lineOf(source, start),
      targets: resolveTargets(item, path, request.specifier),
    }));
  return { path, source, imports };
}

type Request = Pick<ModuleImport, "specifier" | "typeOnly" | "lazy"> & { readonly start: number };

function staticRequests(module: EcmaScriptModule): Request[] {
  const imported = module.staticImports.map(({ moduleRequest, entries, start }) => ({
    specifier: moduleRequest.value,
    typeOnly: entries.length > 0 && entries.every((entry) => entry.isType),
    lazy: false,
    start,
  }));
  const exported = module.staticExports.flatMap(({ entries, start }) => {
    const from = entries.find((entry) => entry.moduleRequest !== null)?.moduleRequest?.value;
    const typeOnly = entries.every((entry) => entry.isType);
    return from === undefined ? [] : [{ specifier: from, typeOnly, lazy: false, start }];
  });
  return [...imported, ...exported];
}

/** `import()` of a literal; what a computed specifier leads to cannot be known here. */
function dynamicRequests(module: EcmaScriptModule, source: string): Request[] {
  return module.dynamicImports.flatMap(({ moduleRequest: { start, end } }) => {
    const specifier = /^["'`]([^"'`$]*)["'`]$/.exec(source.slice(start, end))?.[1];
    return specifier === undefined ? [] : [{ specifier, typeOnly: false, lazy: true, start }];
  });
}

/** The source file behind a built file: `./dist/x.js` of a package is `<package>/src/x.ts`. */
export function sourceOfBuilt(item: WorkspacePackage, built: string): string {
  const inside = posix
    .normalize(built)
    .replace(/^dist\//, "src/")
    .replace(/(\.d\.ts|\.js)$/, ".ts");
  return posix.join(item.directory, inside);
}

/** The files an entry of `exports` or `imports` can lead to, each with its outermost condition. */
export function leavesOf(
  target: ExportTarget,
  condition?: string,
): { path: string; condition?: string }[] {
  if (typeof target === "string") {
    return [{ path: target, ...(condition === undefined ? {} : { condition }) }];
  }
  return Object.entries(target)
    .filter(([name]) => name !== "types")
    .flatMap(([name, inner]) => leavesOf(inner, condition ?? name));
}

function resolveTargets(item: WorkspacePackage, path: string, specifier: string): ImportTarget[] {
  if (specifier.startsWith(".")) {
    const joined = posix.join(posix.dirname(path), specifier);
    return [{ path: joined.replace(/\.js$/, ".ts") }];
  }
  const mapped = item.manifest.imports?.[specifier];
  if (mapped === undefined) return [];
  return leavesOf(mapped).map((leaf) => ({ ...leaf, path: sourceOfBuilt(item, leaf.path) }));
}
