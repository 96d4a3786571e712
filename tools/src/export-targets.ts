import { access } from "node:fs/promises";
import { join } from "node:path";
import type { Finding } from "./finding.js";
import type { ExportTarget, WorkspacePackage } from "./workspace.js";

/** Checks `exports`, `imports`, `bin` and `files` of a built package. Run it after a build. */
export async function checkExportTargets(root: string, item: WorkspacePackage): Promise<Finding[]> {
  const where = `${item.directory}/package.json`;
  const { exports = {}, imports = {}, bin = {}, files = [] } = item.manifest;
  const findings: Finding[] = [];
  for (const [name, target] of [...Object.entries(exports), ...Object.entries(imports)]) {
    if (name.includes("*")) {
      findings.push({
        where,
        what: `exports the pattern ${name}`,
        why: "every entry is a promise and is named",
      });
    }
    findings.push(...typesFirst(where, name, target));
  }
  const named = { ...exports, ...imports, ...bin };
  const targets = Object.entries(named).flatMap(([name, target]) =>
    allPaths(target).map((path) => ({ name, path })),
  );
  const packed = files.filter((path) => !path.startsWith("!"));
  targets.push(...packed.map((path) => ({ name: "files", path })));
  for (const { name, path } of targets) {
    if (await exists(join(root, item.directory, path))) continue;
    const what = `${name} leads to ${path}, which does not exist after a build`;
    findings.push({
      where,
      what,
      why: "whoever installs the package gets exactly what these fields name",
    });
  }
  return findings;
}

function typesFirst(where: string, name: string, target: ExportTarget): Finding[] {
  if (typeof target === "string") return [];
  const conditions = Object.keys(target);
  const nested = Object.values(target).flatMap((inner) => typesFirst(where, name, inner));
  if (!conditions.includes("types") || conditions[0] === "types") return nested;
  const why = "the first condition that matches wins, and TypeScript matches default as well";
  return [{ where, what: `${name}: "types" is not the first condition`, why }, ...nested];
}

function allPaths(target: ExportTarget): string[] {
  return typeof target === "string" ? [target] : Object.values(target).flatMap(allPaths);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
