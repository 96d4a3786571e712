import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { skipReason } from "./requirement.js";
import { runProgram } from "./run.js";

/** The Python that Debian's packages are for; the one on PATH may be another. */
const PYTHON = "/usr/bin/python3";

const PROTOS = fileURLToPath(new URL("../../../../protos", import.meta.url));
const SCRIPTS = fileURLToPath(new URL("python", import.meta.url));

/** Why there is no gRPC library for Python; `undefined` when there is. */
export const pythonMissing: string | undefined = skipReason(
  spawnSync(PYTHON, ["-c", "import grpc, grpc_tools.protoc"], { stdio: "ignore" }).status === 0,
  "the gRPC library of Python (python3-grpcio and python3-grpc-tools)",
);

/** The bytes that the scripts make of the same seed. */
export function content(seed: string, length: number): Buffer {
  return createHash("shake128", { outputLength: length }).update(seed).digest();
}

/** What a script says: one line of it. */
export interface PythonLine {
  readonly name: string;
  readonly [key: string]: unknown;
}

/** Scripts that call the daemon with `grpcio` and stubs made from our schemas. */
export class PythonClient {
  readonly #stubs: string;

  private constructor(stubs: string) {
    this.#stubs = stubs;
  }

  /** Generates the stubs into a folder of their own. */
  static async create(): Promise<PythonClient> {
    const stubs = await mkdtemp(join(tmpdir(), "tvix-e2e-stubs-"));
    const files = (await Promise.all(["tvix", "snix", "grpc"].map(schemasIn))).flat();
    const output = [
      `--proto_path=${PROTOS}`,
      `--python_out=${stubs}`,
      `--grpc_python_out=${stubs}`,
    ];
    const args = ["-m", "grpc_tools.protoc", ...output, ...files];
    const { status, stderr } = await runProgram(PYTHON, args);
    if (status !== 0) throw new Error(`No stubs could be generated: ${stderr}`);
    return new PythonClient(stubs);
  }

  /** Runs a script of the folder `python`; its lines by their names. */
  async run(script: string, ...args: readonly string[]): Promise<ReadonlyMap<string, PythonLine>> {
    const { status, stdout, stderr } = await runProgram(PYTHON, [join(SCRIPTS, script), ...args], {
      env: this.#env,
    });
    if (status !== 0) throw new Error(`${script} ended with ${status}: ${stderr}`);
    const lines = stdout.toString("utf8").trim().split("\n");
    return new Map(
      lines.map((line) => JSON.parse(line) as PythonLine).map((line) => [line.name, line]),
    );
  }

  /** Starts a script that goes on until its standard input ends. */
  start(script: string, ...args: readonly string[]): ChildProcessWithoutNullStreams {
    return spawn(PYTHON, [join(SCRIPTS, script), ...args], {
      env: { ...process.env, ...this.#env },
      stdio: "pipe",
    });
  }

  get #env(): Record<string, string> {
    return { PYTHONPATH: this.#stubs, PYTHONDONTWRITEBYTECODE: "1" };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#stubs, { recursive: true });
  }
}

async function schemasIn(folder: string): Promise<string[]> {
  const names = await readdir(join(PROTOS, folder), { recursive: true });
  return names.filter((name) => name.endsWith(".proto")).map((name) => `${folder}/${name}`);
}
