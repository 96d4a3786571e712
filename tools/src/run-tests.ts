import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "./run-program.js";
import { EMPTY_TALLY, failure, sumTallies, type Tally } from "./tally.js";
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
    return countExit(item.directory, inPackage(item, await readTally(file)), exitCode);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A run that failed without a failed test, or that left no tally, is one failure. */
export function countExit(name: string, tally: Tally | undefined, exitCode: number): Tally {
  if (tally === undefined) return failure(name, "The test run left no tally");
  if (exitCode === 0 || tally.failed.length > 0) return tally;
  const more = failure(name, `The test run ended with exit code ${exitCode}, but no test failed`);
  return sumTallies([tally, more]);
}

/** Names of tests begin with a file of their package; the folder of the package makes them unique. */
function inPackage(item: WorkspacePackage, tally: Tally | undefined): Tally | undefined {
  if (tally === undefined) return undefined;
  const named = <T extends { readonly name: string }>(test: T): T => ({
    ...test,
    name: `${item.directory}/${test.name}`,
  });
  return { ...tally, failed: tally.failed.map(named), skipped: tally.skipped.map(named) };
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
