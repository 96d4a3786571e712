import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Command } from "../process/measure.js";
import { cpuSeconds, peakMemoryBytes } from "../process/proc-files.js";

/** A server that serves. */
export interface ServerProcess {
  /** `HOST:PORT`. */
  readonly address: string;
  /** Largest resident memory so far; not known outside of Linux. */
  peakBytes(): number | undefined;
  /** Processor time so far; not known outside of Linux. */
  cpuSeconds(): number | undefined;
  /** Asks it to end and waits. */
  stop(): Promise<void>;
}

/** How long a start may take. */
const START_MS = 30_000;

/**
 * Starts a server and waits until it says that it is ready.
 *
 * @throws Error with what it said when it does not become ready
 */
export async function startServer(command: Command, signal: AbortSignal): Promise<ServerProcess> {
  const child = spawn(command.program, command.args, {
    env: { ...(command.env ?? process.env) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  const limit = AbortSignal.any([signal, AbortSignal.timeout(START_MS)]);
  let log = "";
  let address: string | undefined;
  try {
    for await (const text of child.stderr
      .setEncoding("utf8")
      .iterator({ destroyOnReturn: false })) {
      log += text;
      address = readyAddress(log);
      limit.throwIfAborted();
      if (address !== undefined) break;
    }
  } finally {
    if (address === undefined) child.kill("SIGKILL");
  }
  if (address === undefined) throw new Error(`Cannot start a server: ${log.trim()}`);
  child.stderr.resume();
  const { pid = 0 } = child;
  return {
    address,
    peakBytes: () => peakMemoryBytes(pid),
    cpuSeconds: () => cpuSeconds(pid),
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/**
 * The first TCP address in the line that says a server is ready, `HOST:PORT`; `undefined` as long as there
 * is none.
 *
 * @param log - lines of JSON, the last of which may not be complete
 */
export function readyAddress(log: string): string | undefined {
  for (const line of log.split("\n").slice(0, -1)) {
    const { msg, addresses } = parseLine(line);
    if (msg !== "ready" || !Array.isArray(addresses)) continue;
    const url = addresses.find((one) => typeof one === "string" && one.startsWith("http://"));
    if (typeof url === "string") return new URL(url).host;
  }
  return undefined;
}

function parseLine(line: string): { readonly msg?: unknown; readonly addresses?: unknown } {
  try {
    return { ...JSON.parse(line) };
  } catch {
    // Warnings of Node itself are no JSON.
    return {};
  }
}
