import { checkBrowserEntry, type ParsedPackage } from "./browser-safety.js";
import { checkLayers } from "./check-layers.js";
import { checkErrorNames } from "./error-names.js";
import { checkExportTargets } from "./export-targets.js";
import type { Finding } from "./finding.js";
import { checkGenerated } from "./generated-current.js";
import { findImportCycles } from "./import-cycles.js";
import { PACKAGE_RULES } from "./layer-rules.js";
import { readModules } from "./module-graph.js";
import { readWorkspace } from "./workspace.js";

/** Layers, import cycles and browser safety of the whole workspace. */
export async function checkImports(root: string): Promise<Finding[]> {
  const packages = await parseWorkspace(root);
  const findings: Finding[] = [];
  for (const { item, modules } of packages) {
    const rules = PACKAGE_RULES.find((candidate) => candidate.name === item.name);
    if (rules === undefined) {
      const what = "is a package without rules; add it to tools/src/layer-rules.ts";
      findings.push({
        where: item.directory,
        what,
        why: "dependencies between packages point one way",
      });
      continue;
    }
    findings.push(...checkLayers(item, modules, rules), ...findImportCycles(modules));
    for (const entry of rules.browserEntries ?? []) {
      findings.push(...checkBrowserEntry(`${item.directory}/src/${entry}`, packages));
    }
  }
  return findings;
}

/** Names of error classes in the whole workspace. */
export async function checkErrors(root: string): Promise<Finding[]> {
  return (await parseWorkspace(root)).flatMap(({ modules }) => checkErrorNames(modules));
}

/** Targets of every package.json of the workspace; needs a build. */
export async function checkManifests(root: string): Promise<Finding[]> {
  const packages = await readWorkspace(root);
  return (await Promise.all(packages.map((item) => checkExportTargets(root, item)))).flat();
}

/** Committed generated code against what the generators write now. */
export async function checkGeneratedCode(root: string): Promise<Finding[]> {
  return checkGenerated(root, await readWorkspace(root));
}

async function parseWorkspace(root: string): Promise<ParsedPackage[]> {
  const items = await readWorkspace(root);
  return Promise.all(items.map(async (item) => ({ item, modules: await readModules(root, item) })));
}
