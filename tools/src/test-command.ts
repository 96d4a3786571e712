import { type DebianNeed, ensureDebianPackages, TEST_NEEDS } from "./debian-packages.js";
import { runProgram } from "./run-program.js";
import { runPackageTests } from "./run-tests.js";
import {
  failure,
  formatFailures,
  formatSkipped,
  formatTally,
  sumTallies,
  type Tally,
} from "./tally.js";
import type { WorkspacePackage } from "./workspace.js";

/**
 * Runs one task with turbo in the given packages, after what it depends on; in all packages where
 * none are given. The output is shown only on failure.
 */
export async function turbo(
  root: string,
  task: string,
  packages: readonly WorkspacePackage[] = [],
): Promise<boolean> {
  const env = { TURBO_TELEMETRY_DISABLED: "1", TURBO_NO_UPDATE_NOTIFIER: "1" };
  const filters = packages.map((item) => `--filter=${item.name}`);
  const args = ["exec", "turbo", "run", task, "--output-logs=errors-only", ...filters];
  const { exitCode, output } = await runProgram("pnpm", args, { cwd: root, env });
  if (exitCode !== 0) console.log(output.trimEnd());
  return exitCode === 0;
}

/**
 * Runs the tests of the given packages, one package after the other, dependencies first. On a
 * build server (`CI` is set) a program that the tests need and that is missing is a failure;
 * elsewhere the tests that need it are skipped.
 */
export async function testPackages(
  root: string,
  packages: readonly WorkspacePackage[],
): Promise<Tally> {
  const tallies: Tally[] = [];
  if (packages.some((item) => item.name === "@tvix/e2e")) {
    const missing = await ensureDebianPackages(TEST_NEEDS, (line) => console.log(line));
    if (isBuildServer()) tallies.push(...missing.map(notInstalled));
  }
  for (const item of packages) {
    console.log(`\n== ${item.name}`);
    tallies.push(await runPackageTests(root, item, "show"));
  }
  return sumTallies(tallies);
}

/** Prints why tests were skipped, what failed, then the one line that ends every run, and sets the exit code. */
export function conclude(tally: Tally): void {
  for (const line of formatSkipped(tally)) console.log(line);
  for (const line of formatFailures(tally)) console.log(line);
  console.log(formatTally(tally));
  process.exitCode = tally.failed.length === 0 ? 0 : 1;
}

function notInstalled({ debianPackage }: DebianNeed): Tally {
  return failure(`Debian package ${debianPackage}`, "The tests need it, and it is not installed");
}

function isBuildServer(): boolean {
  const value = process.env["CI"];
  return value !== undefined && value !== "" && value !== "false" && value !== "0";
}
