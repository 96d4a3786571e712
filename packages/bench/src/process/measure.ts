import { type ChildProcess, spawn } from "node:child_process";
import { childrenCpuSeconds, peakMemoryBytes } from "./proc-files.js";

/** A program with its arguments. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment; that of this process by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** What one run of a command took. */
export interface Measurement {
  /** From the start of the program to its end. */
  readonly wallSeconds: number;
  /** User and system time of all its threads, to 10 ms; not known outside of Linux. */
  readonly cpuSeconds: number | undefined;
  /**
   * Largest resident memory, in bytes: the kernel's own high-water mark, read every 10 ms until the
   * end, so that only growth in the last moment can be missed. Not known outside of Linux.
   */
  readonly peakBytes: number | undefined;
  /** What it printed; empty when that was discarded. */
  readonly stdout: string;
}

/** How to run a command. */
export interface MeasureOptions {
  /** What becomes of standard output: kept, or sent to /dev/null. */
  readonly stdout: "keep" | "discard";
  readonly signal: AbortSignal;
}

/** Reading one line of /proc costs some 20 us, so this takes less than 1 % of one core. */
const MEMORY_INTERVAL_MS = 10;

/** A hung program must not hang the benchmark. */
const TIME_LIMIT_MS = 20 * 60 * 1000;

/** How much of what a command prints is kept: its last characters. */
const OUTPUT_TAIL_LENGTH = 2000;

/**
 * Runs a command to its end. Only one at a time may run, or CPU times are mixed up.
 *
 * @throws Error when it cannot be started or fails; the reason of the signal when that is aborted
 */
export async function measure(command: Command, options: MeasureOptions): Promise<Measurement> {
  options.signal.throwIfAborted();
  const cpuBefore = childrenCpuSeconds();
  const started = process.hrtime.bigint();
  const child = spawn(command.program, command.args, {
    env: { ...(command.env ?? process.env) },
    stdio: ["ignore", options.stdout === "keep" ? "pipe" : "ignore", "pipe"],
    signal: options.signal,
    timeout: TIME_LIMIT_MS,
  });
  const memory = watchMemory(child);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  try {
    const ended = await end(child, command, options.signal);
    const cpuAfter = childrenCpuSeconds();
    if (ended.failure !== undefined) {
      throw new Error(`${describe(command)}: ${ended.failure}\n${stderr().trimEnd()}`);
    }
    return {
      wallSeconds: Number(ended.at - started) / 1e9,
      cpuSeconds: cpuAfter === undefined ? undefined : cpuAfter - (cpuBefore ?? 0),
      peakBytes: memory.peakBytes(),
      stdout: stdout(),
    };
  } finally {
    memory.stop();
  }
}

interface Ended {
  readonly at: bigint;
  readonly failure: string | undefined;
}

function end(child: ChildProcess, command: Command, signal: AbortSignal): Promise<Ended> {
  return new Promise((resolve, reject) => {
    let at = 0n;
    child.once("error", (cause) => {
      if (signal.aborted) reject(signal.reason);
      else reject(new Error(`Cannot run ${describe(command)}: ${cause.message}`, { cause }));
    });
    child.once("exit", () => {
      at = process.hrtime.bigint();
    });
    // After "exit" there may be output left to read; it is not part of the time.
    child.once("close", (code, killedBy) => {
      const failure = code === 0 ? undefined : (killedBy ?? `exit status ${code}`);
      resolve({ at, failure });
    });
  });
}

function describe(command: Command): string {
  return [command.program, ...command.args].join(" ");
}

function watchMemory(child: ChildProcess): { peakBytes(): number | undefined; stop(): void } {
  let peak: number | undefined;
  const timer = setInterval(() => {
    if (child.pid === undefined || child.exitCode !== null) return;
    peak = peakMemoryBytes(child.pid) ?? peak;
  }, MEMORY_INTERVAL_MS);
  return { peakBytes: () => peak, stop: () => clearInterval(timer) };
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = "";
  stream?.on("data", (bytes: Buffer) => {
    text = (text + bytes.toString("utf8")).slice(-OUTPUT_TAIL_LENGTH);
  });
  return () => text;
}
