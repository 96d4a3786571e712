import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";
import { until } from "../cli/until.js";
import { PythonClient, type PythonLine } from "../daemon/python-client.js";

/** What the server may be told to do wrong; "" for nothing. See `reference_server.py`. */
export type Lie =
  | ""
  | "chunks-of-others"
  | "chunks-too-long"
  | "wrong-bytes"
  | "truncated-blob"
  | "endless-blob"
  | "slow-drip"
  | "wrong-directory"
  | "truncated-listing"
  | "endless-listing"
  | "other-path";

/** A server in Python that answers as the reference does: no chunk lists, messages of 4 KiB, doubled sizes. */
export class ReferenceServer implements AsyncDisposable {
  readonly address: string;
  readonly #python: PythonClient;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: PythonLine[];

  private constructor(
    python: PythonClient,
    child: ChildProcessWithoutNullStreams,
    lines: PythonLine[],
    port: number,
  ) {
    this.#python = python;
    this.#child = child;
    this.#lines = lines;
    this.address = `grpc+http://127.0.0.1:${port}`;
  }

  /** @param port - a free one by default */
  static async start(port = 0): Promise<ReferenceServer> {
    const python = await PythonClient.create();
    const child = python.start("reference_server.py", String(port));
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    const lines: PythonLine[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines.push(JSON.parse(line) as PythonLine);
    });
    await until(() => lines.length > 0 || child.exitCode !== null);
    const [ready] = lines;
    if (ready === undefined) throw new Error(`The reference server ended: ${errors}`);
    return new ReferenceServer(python, child, lines, Number(ready["port"]));
  }

  /** What it was asked since the last time that this was asked, in order. */
  takeCalls(): string[] {
    const all = this.#lines.splice(0);
    return all.filter(({ name }) => name === "call").map((line) => String(line["method"]));
  }

  /** From now on it lies like this. */
  async tell(lie: Lie): Promise<void> {
    const told = () => this.#lines.some((line) => line.name === "lie" && line["lie"] === lie);
    this.#lines.splice(0);
    this.#child.stdin.write(`${lie}\n`);
    await until(told);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await until(() => this.#child.exitCode !== null || this.#child.signalCode !== null);
    await this.#python[Symbol.asyncDispose]();
  }
}
