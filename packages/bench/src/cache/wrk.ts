import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { measure } from "../process/measure.js";
import type { WrkResult } from "./cache-run.js";

/** Asks for the paths in a file in turn, and says what came of it as JSON. Lua, for wrk 4. */
const SCRIPT = `local requests, at = {}, 0

function init(args)
  for path in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("GET", path)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"us":%d,"p50":%d,"p99":%d,"failed":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
`;

export interface WrkTask {
  /** Where its script goes. */
  readonly folder: string;
  readonly address: string;
  /** Asked for in turn. */
  readonly paths: readonly string[];
  readonly connections: number;
  /** A whole number. */
  readonly seconds: number;
}

/**
 * Asks for paths as fast as answers come, with one thread of wrk.
 *
 * @throws Error when anything but 200 comes
 */
export async function runWrk(task: WrkTask, signal: AbortSignal): Promise<WrkResult> {
  const script = join(task.folder, "paths.lua");
  const list = join(task.folder, "paths.txt");
  writeFileSync(script, SCRIPT);
  writeFileSync(list, `${task.paths.join("\n")}\n`);
  const options = ["--threads", "1", "--connections", String(task.connections)];
  const duration = ["--duration", `${task.seconds}s`];
  const args = [...options, ...duration, "--script", script, `http://${task.address}/`, "--", list];
  const { stdout } = await measure({ program: "wrk", args }, { stdout: "keep", signal });
  return parseWrk(stdout);
}

/**
 * Reads what the script has written among other things.
 *
 * @throws Error when it is not there, or requests failed
 */
export function parseWrk(stdout: string): WrkResult {
  const line = stdout.split("\n").find((text) => text.startsWith("{"));
  if (line === undefined) throw new Error(`Cannot read what wrk says: ${stdout.trim()}`);
  const { requests, us, p50, p99, failed } = JSON.parse(line) as Record<string, number>;
  if (failed !== 0) throw new Error(`Cannot measure: ${failed} of ${requests} requests failed`);
  return {
    requestsPerSecond: (requests ?? Number.NaN) / ((us ?? Number.NaN) / 1e6),
    p50Ms: (p50 ?? Number.NaN) / 1000,
    p99Ms: (p99 ?? Number.NaN) / 1000,
  };
}
