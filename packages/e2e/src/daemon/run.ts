import { spawn } from "node:child_process";

/** How a program ended. */
export interface ProgramOutcome {
  /** `null` when a signal ended it. */
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface RunProgramOptions {
  /** What it reads from standard input; nothing by default. */
  readonly input?: Uint8Array | string;
  /** On top of the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** It is killed after that time; two minutes by default. */
  readonly timeoutMs?: number;
}

/** Runs a program to its end, however it ends. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: RunProgramOptions = {},
): Promise<ProgramOutcome> {
  const child = spawn(program, args, {
    env: { ...process.env, ...options.env },
    stdio: "pipe",
    timeout: options.timeoutMs ?? 120_000,
    killSignal: "SIGKILL",
  });
  // A program that does not want its input closes it early: its answer tells more than EPIPE.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => {
      resolve({
        status,
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr).toString("utf8"),
      });
    });
  });
}
