import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** This package, also when this module runs from its source. */
const PACKAGE: string = resolve(import.meta.dirname, "..");

/** The executable as users start it. */
export const TVIX: string = fileURLToPath(
  new URL("bin/tvix", import.meta.resolve("@tvix/cli/package.json")),
);

/** Where runs are saved; git ignores it. */
export const RESULTS: string = join(PACKAGE, ".bench");

/** The document whose tables are refreshed. */
export const PERFORMANCE_DOCUMENT: string = resolve(PACKAGE, "../../docs/performance.md");
