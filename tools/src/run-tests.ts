import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "./run-program.js";
import { EMPTY_TALLY, type Tally } from "./tally.js";
import { TALLY_FILE_VARIABLE } from "./vitest-reporter.js";
import type { WorkspacePackage } from "./workspace.js";

/** The built reporter, also when this module runs from its source. */
const REPORTER = join(import.meta.dirname, "../dist/vitest-reporter.js");

/**
 * Runs the tests of one package. A package without a `vitest.config.ts` has no tests. Whatever goes
 * wrong is counted as a failure.
 *
 * @param output - `show` passes the output of vitest through as it comes, `collect` drops it
 */
export async function runPackageTests(
  root: string,
  item: WorkspacePackage,
  output: "show" | "collect",
): Promise<Tally> {
  const cwd = join(root, item.directory);
  if (!(await exists(join(cwd, "vitest.config.ts")))) return EMPTY_TALLY;
  const scratch = await mkdtemp(join(tmpdir(), "tvix-tally-"));
  try {
    const file = join(scratch, "tally.json");
    const args = ["run", "--reporter=default", `--reporter=${REPORTER}`];
    const env = { [TALLY_FILE_VARIABLE]: file };
    const vitest = join(cwd, "node_modules/.bin/vitest");
    const { exitCode } = await runProgram(vitest, args, { cwd, env, output });
    return inPackage(item, countExit(await readTally(file), exitCode));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A run that failed without a failed test, or that left no tally, is one failure. */
export function countExit(tally: Tally | undefined, exitCode: number): Tally {
  if (tally === undefined) return { ...EMPTY_TALLY, failed: 1 };
  return exitCode !== 0 && tally.failed === 0 ? { ...tally, failed: 1 } : tally;
}

/** Names of tests begin with a file of their package; the folder of the package makes them unique. */
function inPackage(item: WorkspacePackage, tally: Tally): Tally {
  const skipped = tally.skipped.map((test) => ({
    ...test,
    name: `${item.directory}/${test.name}`,
  }));
  return { ...tally, skipped };
}

async function readTally(file: string): Promise<Tally | undefined> {
  if (!(await exists(file))) return undefined;
  return JSON.parse(await readFile(file, "utf8")) as Tally;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
