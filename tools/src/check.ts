/**
 * `pnpm check`: everything that must hold before a change is accepted, then all tests. Every step
 * runs, also after one failed; each counts as one in the last line.
 */
import { type Finding, formatFinding } from "./finding.js";
import { runProgram } from "./run-program.js";
import { checkErrors, checkGeneratedCode, checkImports, checkManifests } from "./structure.js";
import { EMPTY_TALLY, failure, sumTallies, type Tally } from "./tally.js";
import { conclude, testPackages, turbo } from "./test-command.js";
import { REPOSITORY_ROOT, readWorkspace } from "./workspace.js";

interface Step {
  readonly name: string;
  /** Says on standard output what is wrong, and whether anything is. */
  readonly run: () => Promise<boolean>;
}

const BUILD: Step = { name: "build", run: () => turbo(REPOSITORY_ROOT, "build") };

const STEPS: readonly Step[] = [
  {
    name: "format and lint",
    run: () => pnpm("run", "lint"),
  },
  { name: "proto lint", run: () => pnpm("--filter", "@tvix/protos", "run", "lint:proto") },
  { name: "generated code is current", run: () => report(checkGeneratedCode) },
  { name: "layers and import cycles", run: () => report(checkImports) },
  { name: "names of error classes", run: () => report(checkErrors) },
  { name: "no dead exports or dependencies", run: () => pnpm("run", "dead-code") },
];

const STEPS_AFTER_BUILD: readonly Step[] = [
  { name: "package entries exist", run: () => report(checkManifests) },
  { name: "types, tests included", run: () => turbo(REPOSITORY_ROOT, "typecheck") },
];

async function runStep(step: Step): Promise<Tally> {
  const started = Date.now();
  const ok = await step.run();
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`${ok ? "ok    " : "FAILED"} ${step.name} (${seconds} s)`);
  return ok ? { ...EMPTY_TALLY, passed: 1 } : failure(step.name);
}

async function pnpm(...args: readonly string[]): Promise<boolean> {
  const { exitCode, output } = await runProgram("pnpm", args, { cwd: REPOSITORY_ROOT });
  if (exitCode !== 0) console.log(output.trimEnd());
  return exitCode === 0;
}

async function report(check: (root: string) => Promise<readonly Finding[]>): Promise<boolean> {
  const findings = await check(REPOSITORY_ROOT);
  for (const finding of findings) console.log(formatFinding(finding));
  return findings.length === 0;
}

const tallies: Tally[] = [];
for (const step of STEPS) tallies.push(await runStep(step));
const built = await runStep(BUILD);
tallies.push(built);
if (built.failed.length === 0) {
  for (const step of STEPS_AFTER_BUILD) tallies.push(await runStep(step));
  tallies.push(await testPackages(REPOSITORY_ROOT, await readWorkspace(REPOSITORY_ROOT)));
}
conclude(sumTallies(tallies));
