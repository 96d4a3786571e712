/** `pnpm bench`: see {@link USAGE}, or README.md. */
import { resolve } from "node:path";
import { runCache } from "./cache/run-cache.js";
import { runDaemonImport } from "./daemon-import/run-daemon-import.js";
import { runGrpc } from "./grpc/run-grpc.js";
import { runLatency } from "./latency/run-latency.js";
import { runMount } from "./mount/run-mount.js";
import { runNar } from "./nar/run-nar.js";
import { runOperations } from "./operations/run-operations.js";
import { type BenchOptions, BenchUsageError, parseOptions, USAGE } from "./options.js";
import { runPrimitives } from "./primitives/run-primitives.js";
import { runProfile } from "./profile/run-profile.js";
import { type BenchRun, loadRun, report, saveRun, writeDocument } from "./report/saved-run.js";

/** pnpm changes the working directory; relative paths are those of the user. */
const CALLED_FROM = process.env["INIT_CWD"] ?? process.cwd();

async function main(): Promise<void> {
  const parsed = parseOptions(process.argv.slice(2));
  if (parsed === undefined) {
    console.log(USAGE);
    return;
  }
  const options = { ...parsed, ...absolutePaths(parsed) };
  const runs = options.from === undefined ? await measureNow(options) : [loadRun(options.from)];
  for (const run of runs) {
    console.log(`\n${report(run)}\n`);
    if (options.from === undefined && !options.quick) console.log(`Saved as ${saveRun(run)}`);
    if (options.write) {
      writeDocument(run);
      console.log("Refreshed docs/performance.md");
    }
  }
}

function absolutePaths(options: BenchOptions): Pick<BenchOptions, "trees" | "scratch" | "from"> {
  const absolute = (path: string | undefined) => path && resolve(CALLED_FROM, path);
  return {
    trees: absolute(options.trees),
    scratch: absolute(options.scratch),
    from: absolute(options.from),
  };
}

async function measureNow(options: BenchOptions): Promise<readonly BenchRun[]> {
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => interrupted.abort(new Error(`Ended by ${name}`)));
  }
  const host = { say: (line: string) => console.log(line), signal: interrupted.signal };
  switch (options.mode) {
    case "operations":
      return [await runOperations(options, host)];
    case "primitives":
      return [await runPrimitives(options, host)];
    case "profile":
      return [await runProfile(options, host)];
    case "grpc":
      return [await runGrpc(options, host)];
    case "daemon-import":
      return [await runDaemonImport(options, host)];
    case "nar":
      return [await runNar(options, host)];
    case "latency":
      return [await runLatency(options, host)];
    case "mount":
      return [await runMount(options, host)];
    case "cache":
      return await runCache(options, host);
  }
}

try {
  await main();
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  console.error(`bench: ${text}`);
  if (error instanceof BenchUsageError) console.error(`\n${USAGE}`);
  process.exitCode = error instanceof BenchUsageError ? 2 : 1;
}
