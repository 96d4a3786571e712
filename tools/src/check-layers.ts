import { isBuiltin } from "node:module";
import type { Finding } from "./finding.js";
import type { Layer, PackageRules } from "./layer-rules.js";
import type { ModuleImport, SourceModule } from "./module-graph.js";
import type { WorkspacePackage } from "./workspace.js";

const TEST_LIBRARIES = new Set(["vitest", "fast-check"]);

/** Checks the imports of one package against its rules. */
export function checkLayers(
  item: WorkspacePackage,
  modules: readonly SourceModule[],
  rules: PackageRules,
): Finding[] {
  const findings: Finding[] = [];
  const sourceRoot = `${item.directory}/src/`;
  const published = item.manifest.private !== true;
  for (const module of modules) {
    const inside = module.path.slice(sourceRoot.length);
    const height = layerOf(inside, rules.layers);
    if (rules.layers !== undefined && height === undefined && !isTestFile(inside)) {
      findings.push({
        where: module.path,
        what: "belongs to no layer; give it a place in tools/src/layer-rules.ts",
        why: "a file without a layer could import anything, and its direction would not be checked",
      });
    }
    for (const entry of module.imports) {
      const where = `${module.path}:${entry.line}`;
      const broken = [
        checkPackageDirection(entry, inside, rules, published),
        rules.isTestCode ? undefined : checkTestingImport(entry, inside, published),
        checkPurity(entry, inside, rules.layers),
        ...entry.targets.map((target) =>
          checkTarget(inside, target.path.slice(sourceRoot.length), rules.layers),
        ),
      ];
      for (const rule of broken) if (rule !== undefined) findings.push({ where, ...rule });
    }
  }
  return findings;
}

type Broken = Omit<Finding, "where">;

function checkPackageDirection(
  entry: ModuleImport,
  inside: string,
  rules: PackageRules,
  published: boolean,
): Broken | undefined {
  const name = packageNameOf(entry.specifier);
  if (name === rules.name) {
    return {
      what: `imports its own package by name (${entry.specifier})`,
      why: "inside a package files import each other by path; the package name leads to the built copy",
    };
  }
  if (!name.startsWith("@tvix/")) return undefined;
  if (!rules.mayImport.includes(name)) {
    return { what: `imports ${name}, which ${rules.name} may not depend on`, why: rules.why };
  }
  if (
    name === "@tvix/protos" &&
    published &&
    rules.speaksWire !== true &&
    !isTestFile(inside) &&
    !isWireFile(inside)
  ) {
    return {
      what: `imports ${entry.specifier} outside wire/, rpc/ and grpc/`,
      why: "messages are unchecked; they become domain values at the wire and go no further",
    };
  }
  return undefined;
}

function checkTestingImport(
  entry: ModuleImport,
  inside: string,
  published: boolean,
): Broken | undefined {
  if (isTestFile(inside)) return undefined;
  const leadsToTesting =
    /^@tvix\/[^/]+\/testing$/.test(entry.specifier) ||
    entry.targets.some((target) => target.path.includes("/src/testing/"));
  if (leadsToTesting) {
    return {
      what: `imports ${entry.specifier} from code that is not a test`,
      why: "suites and fixtures must not be part of what users run",
    };
  }
  if (published && TEST_LIBRARIES.has(packageNameOf(entry.specifier))) {
    return {
      what: `imports ${entry.specifier} outside tests and testing/`,
      why: "test libraries are optional peers; users of the package do not have them",
    };
  }
  return undefined;
}

function checkPurity(
  entry: ModuleImport,
  inside: string,
  layers: readonly Layer[] | undefined,
): Broken | undefined {
  const layer = layers?.[layerOf(inside, layers) ?? -1];
  if (layer?.pure !== true || isTestFile(inside) || !isBuiltin(entry.specifier)) return undefined;
  return {
    what: `imports ${entry.specifier} in the pure layer "${layer.name}"`,
    why: "pure layers compute without input or output, so that they run in a browser and are easy to test",
  };
}

function checkTarget(
  inside: string,
  target: string,
  layers: readonly Layer[] | undefined,
): Broken | undefined {
  if (isTestFile(inside) && !inside.startsWith("testing/")) return undefined;
  if (target === "index.ts" && inside !== "index.ts") {
    return {
      what: "imports the index of its own package",
      why: "the index gathers every module, so importing it from inside makes a cycle of everything",
    };
  }
  const from = layerOf(inside, layers);
  const to = layerOf(target, layers);
  if (layers === undefined || from === undefined || to === undefined || to <= from)
    return undefined;
  return {
    what: `imports ${target}: layer "${layers[from]?.name}" lies below "${layers[to]?.name}"`,
    why: layers[from]?.why ?? "",
  };
}

/** Index of the layer of a file: an exact entry wins over the folder it lies in. */
function layerOf(inside: string, layers: readonly Layer[] | undefined): number | undefined {
  if (layers === undefined) return undefined;
  const exact = layers.findIndex((layer) => layer.files.includes(inside));
  if (exact >= 0) return exact;
  const folder = layers.findIndex((layer) =>
    layer.files.some((entry) => entry.endsWith("/") && inside.startsWith(entry)),
  );
  return folder >= 0 ? folder : undefined;
}

function isTestFile(inside: string): boolean {
  return inside.endsWith(".test.ts") || inside.startsWith("testing/");
}

function isWireFile(inside: string): boolean {
  return /^(?:wire|rpc|grpc)\//.test(inside);
}

/** `@scope/name` or `name` of a bare specifier; the specifier itself when it is a path. */
function packageNameOf(specifier: string): string {
  if (specifier.startsWith(".") || specifier.startsWith("#")) return specifier;
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}
