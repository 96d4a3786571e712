import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { countExit, runPackageTests } from "./run-tests.js";
import {
  EMPTY_TALLY,
  failure,
  formatFailures,
  formatSkipped,
  formatTally,
  type Tally,
} from "./tally.js";
import { REPOSITORY_ROOT } from "./workspace.js";

const IMPORT = 'import { beforeAll, describe, expect, it } from "vitest";\n';

describe("runPackageTests()", () => {
  let root = "";

  beforeEach(async () => {
    // Inside the repository, so that the fixture finds vitest; the folder is ignored by git.
    root = await mkdtemp(join(REPOSITORY_ROOT, "tools/node_modules/.fixture-"));
    await mkdir(join(root, "p/node_modules/.bin"), { recursive: true });
    const vitest = join(REPOSITORY_ROOT, "tools/node_modules/.bin/vitest");
    const wrapper = join(root, "p/node_modules/.bin/vitest");
    await writeFile(wrapper, `#!/bin/sh\nexec "${vitest}" "$@"\n`, { mode: 0o755 });
    const config = 'export default { test: { include: ["*.test.ts"], exclude: [] } };';
    await writeFile(join(root, "p/vitest.config.ts"), config);
  });

  afterEach(async () => {
    await rm(root, { recursive: true });
  });

  async function run(sources: Readonly<Record<string, string>>): Promise<Tally> {
    for (const [name, source] of Object.entries(sources)) {
      await writeFile(join(root, "p", name), IMPORT + source);
    }
    const item = { name: "p", directory: "p", manifest: { name: "p" } };
    return runPackageTests(root, item, "collect");
  }

  it("counts passed, failed and skipped tests", async () => {
    const tally = await run({
      "a.test.ts": `
        it("passes", () => {});
        it.each([1, 2])("passes %d", () => {});
        it("fails", () => { expect(1).toBe(2); });
        it("skips", (context) => { context.skip("no kernel"); });
        it.skip("hides", () => {});`,
    });
    expect(formatTally(tally)).toBe("3 passed, 1 failed, 2 skipped");
    expect(formatFailures(tally)).toEqual([
      "FAILED: p/a.test.ts > fails",
      "    expected 1 to be 2 // Object.is equality",
      expect.stringMatching(/^ {4}at .*a\.test\.ts:\d+:\d+/),
    ]);
    expect(formatSkipped(tally)).toEqual([
      "skipped: p/a.test.ts > skips: no kernel",
      expect.stringMatching(/^skipped: p\/a\.test\.ts > hides: NO REASON GIVEN/),
    ]);
  });

  it.each([
    ["a file that does not load", "throw new Error('broken');"],
    [
      "a hook",
      'describe("s", () => { beforeAll(() => { throw new Error("x"); }); it("a", () => {}); });',
    ],
    ["a promise that nobody awaits", 'it("a", () => { void Promise.reject(new Error("x")); });'],
    ["a file without tests", "export {};"],
  ])("counts %s that fails as a failure", async (_, source) => {
    const tally = await run({ "a.test.ts": source, "b.test.ts": 'it("b", () => {});' });
    expect(tally.failed).toHaveLength(1);
    expect(formatFailures(tally).length).toBeGreaterThan(1);
    expect(tally.passed).toBeGreaterThan(0);
  });

  it("counts a package without any test file as a failure", async () => {
    expect(await run({})).toEqual(failure("p", expect.stringContaining("exit code")));
  });

  it("counts nothing for a package without a vitest configuration", async () => {
    await rm(join(root, "p/vitest.config.ts"));
    expect(await run({})).toEqual(EMPTY_TALLY);
  });
});

describe("countExit()", () => {
  it("turns a missing tally into one failure", () => {
    expect(countExit("p", undefined, 0)).toEqual(failure("p", "The test run left no tally"));
  });

  it("turns a bad exit without a failed test into one failure", () => {
    const failures = (tally: Tally, exitCode: number): number =>
      countExit("p", tally, exitCode).failed.length;
    expect(failures({ ...EMPTY_TALLY, passed: 4 }, 1)).toBe(1);
    expect(failures(failure("p/a.test.ts > a"), 1)).toBe(1);
    expect(failures({ ...EMPTY_TALLY, passed: 4 }, 0)).toBe(0);
  });
});
