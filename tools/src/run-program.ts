import { spawn } from "node:child_process";

/** Where and how a program runs. */
export interface RunOptions {
  /** Working directory. */
  readonly cwd: string;
  /** Variables added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** `show` passes the output through as it comes; `collect` returns it. Default `collect`. */
  readonly output?: "show" | "collect";
}

/** How a program ended. */
export interface RunResult {
  /** Exit code; 127 when the program could not be started, 128 when a signal ended it. */
  readonly exitCode: number;
  /** Standard output and standard error, interleaved; empty with `show`. */
  readonly output: string;
}

/** Runs `program` without a shell and without input, and waits for its end. Never rejects. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  const stdio = options.output === "show" ? "inherit" : "pipe";
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", stdio, stdio],
  });
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    child.on("error", (error) => {
      resolve({ exitCode: 127, output: `Cannot run ${program}: ${error.message}\n` });
    });
    child.on("close", (code) => {
      resolve({ exitCode: code ?? 128, output: Buffer.concat(chunks).toString("utf8") });
    });
  });
}
