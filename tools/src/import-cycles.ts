import { posix } from "node:path";
import type { Finding } from "./finding.js";
import type { SourceModule } from "./module-graph.js";

/**
 * Finds import cycles among the modules of one package. Cycles of values are always wrong; cycles
 * that exist only between types are accepted while they stay in one folder. A lazy `import()` does
 * not count: it runs when every module of the cycle has.
 */
export function findImportCycles(modules: readonly SourceModule[]): Finding[] {
  const valueCycles = components(modules, false);
  const typeCycles = components(modules, true).filter(
    (cycle) =>
      new Set(cycle.map((path) => posix.dirname(path))).size > 1 &&
      !valueCycles.some((known) => known.every((path) => cycle.includes(path))),
  );
  return [
    ...valueCycles.map((cycle) => ({
      where: cycle[0] ?? "",
      what: `imports itself through ${cycle.slice(1).join(", ") || "its own path"}`,
      why: "in a cycle, which module runs first depends on who was imported first, and its values may be missing",
    })),
    ...typeCycles.map((cycle) => ({
      where: cycle[0] ?? "",
      what: `its types depend on themselves through ${cycle.slice(1).join(", ")}`,
      why: "folders whose types need each other are one folder; one of them cannot be understood alone",
    })),
  ];
}

/** Groups of modules that reach each other (Tarjan), each sorted; single modules only if they import themselves. */
function components(modules: readonly SourceModule[], withTypes: boolean): string[][] {
  const edges = new Map(modules.map((module) => [module.path, edgesOf(module, withTypes)]));
  const order = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (path: string): number => {
    const index = order.size;
    order.set(path, index);
    stack.push(path);
    let lowest = index;
    for (const next of edges.get(path) ?? []) {
      if (!edges.has(next)) continue;
      if (!order.has(next)) lowest = Math.min(lowest, visit(next));
      else if (stack.includes(next)) lowest = Math.min(lowest, order.get(next) ?? 0);
    }
    if (lowest === index) {
      const group = stack.splice(stack.indexOf(path));
      if (group.length > 1 || edges.get(path)?.includes(path)) found.push(group.sort());
    }
    return lowest;
  };
  for (const path of edges.keys()) if (!order.has(path)) visit(path);
  return found;
}

function edgesOf(module: SourceModule, withTypes: boolean): string[] {
  return module.imports
    .filter((entry) => !entry.lazy && (withTypes || !entry.typeOnly))
    .flatMap((entry) => entry.targets.map((target) => target.path));
}
