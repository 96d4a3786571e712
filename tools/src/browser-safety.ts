import { isBuiltin } from "node:module";
import { posix } from "node:path";
import type { Finding } from "./finding.js";
import { type ImportTarget, leavesOf, type SourceModule, sourceOfBuilt } from "./module-graph.js";
import { freeGlobals } from "./syntax.js";
import type { WorkspacePackage } from "./workspace.js";

/** A package with its parsed sources. */
export interface ParsedPackage {
  readonly item: WorkspacePackage;
  readonly modules: readonly SourceModule[];
}

const NODE_GLOBALS: ReadonlySet<string> = new Set([
  "Buffer",
  "__dirname",
  "__filename",
  "global",
  "process",
  "require",
  "setImmediate",
]);

const NATIVE_PACKAGES: readonly string[] = ["better-sqlite3", "zstd-napi", "@napi-rs/"];

/**
 * Follows the value imports of an entry, as a bundler for browsers would, through files and
 * packages of this workspace, and reports everything that only Node has.
 */
export function checkBrowserEntry(entry: string, packages: readonly ParsedPackage[]): Finding[] {
  const modules = new Map(
    packages.flatMap(({ modules }) => modules.map((item) => [item.path, item])),
  );
  const findings: Finding[] = [];
  const cameFrom = new Map<string, string | undefined>([[entry, undefined]]);
  for (const path of cameFrom.keys()) {
    const module = modules.get(path);
    if (module === undefined) continue;
    const why = `${entry} must work in a browser, and reaches this file through ${chain(cameFrom, path)}`;
    for (const { name, line } of freeGlobals(path, module.source, NODE_GLOBALS)) {
      findings.push({ where: `${path}:${line}`, what: `uses the Node global ${name}`, why });
    }
    for (const imported of module.imports) {
      if (imported.typeOnly) continue;
      if (isNodeOnly(imported.specifier)) {
        const what = `imports ${imported.specifier}, which browsers do not have`;
        findings.push({ where: `${path}:${imported.line}`, what, why });
      }
      for (const next of browserTargets(imported.specifier, imported.targets, packages)) {
        if (!cameFrom.has(next)) cameFrom.set(next, path);
      }
    }
  }
  return findings;
}

function isNodeOnly(specifier: string): boolean {
  return isBuiltin(specifier) || NATIVE_PACKAGES.some((name) => specifier.startsWith(name));
}

function browserTargets(
  specifier: string,
  targets: readonly ImportTarget[],
  packages: readonly ParsedPackage[],
): string[] {
  const owner = packages.find(
    ({ item }) => specifier === item.name || specifier.startsWith(`${item.name}/`),
  );
  const exported = owner?.item.manifest.exports?.[`.${specifier.slice(owner.item.name.length)}`];
  if (owner !== undefined && exported !== undefined) {
    return leavesOf(exported).map((leaf) => sourceOfBuilt(owner.item, leaf.path));
  }
  return targets.filter((target) => target.condition !== "node").map((target) => target.path);
}

function chain(cameFrom: ReadonlyMap<string, string | undefined>, path: string): string {
  const steps: string[] = [];
  for (let at: string | undefined = path; at !== undefined; at = cameFrom.get(at)) {
    steps.unshift(posix.basename(at));
  }
  return steps.join(" > ");
}
