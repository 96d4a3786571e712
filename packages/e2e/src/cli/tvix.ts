import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { removeTree } from "./remove-tree.js";

/** The executable under test. */
export const TVIX: string = fileURLToPath(
  new URL("../../../../apps/cli/bin/tvix", import.meta.url),
);

/** How a command ended. */
export interface Outcome {
  /** `null` when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A command that may still be running. */
export interface Running {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** What came on standard error so far. */
  stderr(): string;
}

export interface RunOptions {
  readonly cwd?: string;
  /** On top of the environment of the sandbox. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A directory of its own for each test file: data directory, inputs, home. */
export class Sandbox {
  readonly directory: string;
  readonly #children = new Set<ChildProcess>();

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<Sandbox> {
    return new Sandbox(await mkdtemp(join(tmpdir(), "tvix-e2e-cli-")));
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  get env(): NodeJS.ProcessEnv {
    return environment(this.path("data"), this.directory);
  }

  /** Starts `tvix ARGS`. */
  start(args: readonly string[], options: RunOptions = {}): Running {
    const running = startProgram(TVIX, args, {
      cwd: this.directory,
      ...options,
      env: { ...this.env, ...options.env },
    });
    this.#children.add(running.child);
    running.child.once("close", () => this.#children.delete(running.child));
    return running;
  }

  /** Runs `tvix ARGS` to its end. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return await this.start(args, options).outcome;
  }

  /** Runs `tvix ARGS`, which must succeed; its standard output without the final newline. */
  async text(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const outcome = await this.run(args, options);
    if (outcome.status !== 0) {
      throw new Error(`tvix ${args.join(" ")} ended with ${outcome.status}: ${outcome.stderr}`);
    }
    return outcome.stdout.toString("utf8").replace(/\n$/, "");
  }

  /** Ends what is still running: after a test that failed, nothing must hold up the next one. */
  killAll(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }

  async remove(): Promise<void> {
    this.killAll();
    await removeTree(this.directory);
  }
}

/** Starts any program and collects what it writes. */
function startProgram(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Running {
  const child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const stdout: Buffer[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const outcome = new Promise<Outcome>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => {
      resolve({ status, signal, stdout: Buffer.concat(stdout), stderr });
    });
  });
  return { child, outcome, stderr: () => stderr };
}

function environment(dataDirectory: string, home: string): NodeJS.ProcessEnv {
  const { XDG_DATA_HOME, TVIX_DEBUG, NODE_OPTIONS, ...env } = process.env;
  return { ...env, HOME: home, TVIX_DATA_DIR: dataDirectory };
}
