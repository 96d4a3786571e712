/** A test that did not run, and why. */
export interface SkippedTest {
  /** File and full name of the test. */
  readonly name: string;
  /** The reason that was given, if one was. */
  readonly reason?: string;
}

/** How many tests a runner ran and how they ended. */
export interface Tally {
  readonly passed: number;
  /** Failed tests, and files, hooks or runners that failed as a whole; one each. */
  readonly failed: number;
  readonly skipped: readonly SkippedTest[];
}

/** A tally of nothing. */
export const EMPTY_TALLY: Tally = { passed: 0, failed: 0, skipped: [] };

/** Adds up tallies. */
export function sumTallies(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((sum, tally) => sum + tally.passed, 0),
    failed: tallies.reduce((sum, tally) => sum + tally.failed, 0),
    skipped: tallies.flatMap((tally) => tally.skipped),
  };
}

/** The one line a run ends with. */
export function formatTally(tally: Tally): string {
  return `${tally.passed} passed, ${tally.failed} failed, ${tally.skipped.length} skipped`;
}

/** One line per skipped test, with its reason. */
export function formatSkipped(tally: Tally): string[] {
  return tally.skipped.map(
    ({ name, reason = "NO REASON GIVEN, see CONTRIBUTING.md" }) => `skipped: ${name}: ${reason}`,
  );
}
