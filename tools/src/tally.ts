/** A test that did not run, and why. */
export interface SkippedTest {
  /** File and full name of the test. */
  readonly name: string;
  /** The reason that was given, if one was. */
  readonly reason?: string;
}

/** A test, file, hook, runner or check that failed. */
export interface Failure {
  /** File and full name of the test, or the name of what failed. */
  readonly name: string;
  /** What it said, where it said anything. */
  readonly message?: string;
}

/** How many tests a runner ran and how they ended. */
export interface Tally {
  readonly passed: number;
  /** Failed tests, and files, hooks or runners that failed as a whole; one each. */
  readonly failed: readonly Failure[];
  readonly skipped: readonly SkippedTest[];
}

/** A tally of nothing. */
export const EMPTY_TALLY: Tally = { passed: 0, failed: [], skipped: [] };

/** A tally of one failure. */
export function failure(name: string, message?: string): Tally {
  return { ...EMPTY_TALLY, failed: [message === undefined ? { name } : { name, message }] };
}

/** Adds up tallies. */
export function sumTallies(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((sum, tally) => sum + tally.passed, 0),
    failed: tallies.flatMap((tally) => tally.failed),
    skipped: tallies.flatMap((tally) => tally.skipped),
  };
}

/** The one line a run ends with. */
export function formatTally(tally: Tally): string {
  return `${tally.passed} passed, ${tally.failed.length} failed, ${tally.skipped.length} skipped`;
}

/** One line per skipped test, with its reason. */
export function formatSkipped(tally: Tally): string[] {
  return tally.skipped.map(
    ({ name, reason = "NO REASON GIVEN, see CONTRIBUTING.md" }) => `skipped: ${name}: ${reason}`,
  );
}

/** The most characters of a failure's message that the end of a run repeats. */
const MAX_MESSAGE_LENGTH = 2_000;

/** One line per failure, with what it said below it; the last lines of a log are what is kept of it. */
export function formatFailures(tally: Tally): string[] {
  return tally.failed.flatMap(({ name, message }) => [
    `FAILED: ${name}`,
    ...(message === undefined ? [] : indent(message.slice(0, MAX_MESSAGE_LENGTH))),
  ]);
}

function indent(text: string): string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `    ${line}`);
}
