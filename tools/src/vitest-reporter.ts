import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import type { Reporter, TestModule } from "vitest/node";
import type { Failure, SkippedTest, Tally } from "./tally.js";

/** Environment variable with the path of the file the tally is written to. */
export const TALLY_FILE_VARIABLE = "TVIX_TEST_TALLY_FILE";

/**
 * Counts how the tests of a vitest run ended. Unlike the totals vitest prints, failures outside a
 * test (a file that does not load, a hook, a promise nobody awaited) count as well.
 */
export function tallyRun(modules: readonly TestModule[], unhandledErrors: readonly Said[]): Tally {
  let passed = 0;
  const failed: Failure[] = unhandledErrors.map((error) => fail("outside of any test", [error]));
  const skipped: SkippedTest[] = [];
  for (const module of modules) {
    const file = relative(module.project.config.root, module.moduleId);
    for (const error of module.errors()) failed.push(fail(file, [error]));
    for (const suite of module.children.allSuites()) {
      for (const error of suite.errors()) failed.push(fail(`${file} > ${suite.fullName}`, [error]));
    }
    for (const test of module.children.allTests()) {
      const name = `${file} > ${test.fullName}`;
      const result = test.result();
      if (result.state === "passed") passed += 1;
      else if (result.state === "skipped") skipped.push(describeSkipped(name, result.note));
      else failed.push(fail(name, result.errors ?? [NOT_ENDED]));
    }
  }
  return { passed, failed, skipped };
}

/** What a report needs of an error. */
interface Said {
  readonly message: string;
  readonly stack?: string | undefined;
}

/** The run ended before the test did. */
const NOT_ENDED: Said = { message: "It had not ended when the run ended" };

function fail(name: string, errors: readonly Said[]): Failure {
  const message = errors.map((error) => `${error.message}\n${firstOwnFrame(error)}`.trimEnd());
  return { name, message: message.join("\n") };
}

/** Where pnpm puts what it installs, and the modules of Node. */
const INSTALLED = /node_modules\/\.pnpm\/|node:/;

/** Where in the project's own code it came up. */
function firstOwnFrame({ stack = "" }: Said): string {
  const frames = stack.split("\n").filter((line) => line.trimStart().startsWith("at "));
  return frames.find((line) => /:\d+:\d+\)?$/.test(line) && !INSTALLED.test(line))?.trim() ?? "";
}

function describeSkipped(name: string, note: string | undefined): SkippedTest {
  return note === undefined ? { name } : { name, reason: note };
}

/** Writes the tally of a run to the file named by {@link TALLY_FILE_VARIABLE}. */
class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly Said[]): void {
    const path = process.env[TALLY_FILE_VARIABLE];
    if (path === undefined)
      throw new Error(`Cannot write the tally: ${TALLY_FILE_VARIABLE} is not set`);
    writeFileSync(path, JSON.stringify(tallyRun(modules, unhandledErrors)));
  }
}

// vitest loads a reporter by its default export.
// biome-ignore lint/style/noDefaultExport: required by vitest
export default TallyReporter;
