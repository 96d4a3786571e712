import type { Finding } from "./finding.js";
import type { SourceModule } from "./module-graph.js";
import { errorClasses } from "./syntax.js";

/** Checks that each error class sets its `name` property to its own name. */
export function checkErrorNames(modules: readonly SourceModule[]): Finding[] {
  return modules
    .filter((module) => !module.path.endsWith(".test.ts"))
    .flatMap((module) =>
      errorClasses(module.path, module.source)
        .filter((found) => found.nameProperty !== found.name)
        .map(({ name, line, nameProperty }) => ({
          where: `${module.path}:${line}`,
          what:
            nameProperty === undefined
              ? `class ${name} does not set its name property to a string literal`
              : `class ${name} says its name is "${nameProperty}"`,
          why: "guards and logs identify errors by name, also across two copies of a package",
        })),
    );
}
