import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import type { Reporter, TestCase, TestModule } from "vitest/node";
import type { SkippedTest, Tally } from "./tally.js";

/** Environment variable with the path of the file the tally is written to. */
export const TALLY_FILE_VARIABLE = "TVIX_TEST_TALLY_FILE";

/**
 * Counts how the tests of a vitest run ended. Unlike the totals vitest prints, failures outside a
 * test (a file that does not load, a hook, a promise nobody awaited) count as well.
 */
export function tallyRun(modules: readonly TestModule[], unhandledErrors: number): Tally {
  let passed = 0;
  let failed = unhandledErrors;
  const skipped: SkippedTest[] = [];
  for (const module of modules) {
    failed += module.errors().length;
    for (const suite of module.children.allSuites()) failed += suite.errors().length;
    for (const test of module.children.allTests()) {
      const result = test.result();
      if (result.state === "passed") passed += 1;
      else if (result.state === "skipped") skipped.push(describeSkipped(test, result.note));
      else failed += 1; // "pending" too: the run ended before this test did
    }
  }
  return { passed, failed, skipped };
}

function describeSkipped(test: TestCase, note: string | undefined): SkippedTest {
  const file = relative(test.project.config.root, test.module.moduleId);
  const name = `${file} > ${test.fullName}`;
  return note === undefined ? { name } : { name, reason: note };
}

/** Writes the tally of a run to the file named by {@link TALLY_FILE_VARIABLE}. */
class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const path = process.env[TALLY_FILE_VARIABLE];
    if (path === undefined)
      throw new Error(`Cannot write the tally: ${TALLY_FILE_VARIABLE} is not set`);
    writeFileSync(path, JSON.stringify(tallyRun(modules, unhandledErrors.length)));
  }
}

// vitest loads a reporter by its default export.
// biome-ignore lint/style/noDefaultExport: required by vitest
export default TallyReporter;
