import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A program in a process of its own that reports by lines. */
export class ChildProgram {
  readonly process: ChildProcess;
  /** All that it wrote, to either output. */
  output = "";
  readonly #ended: Promise<unknown>;
  #onOutput: () => void = () => {};

  /**
   * Starts a program of some lines of JavaScript.
   *
   * @param module - a module of this package, relative to its `dist`, that they find as `module`
   */
  constructor(module: string, lines: string, args: readonly string[] = []) {
    const file = fileURLToPath(new URL(`../../dist/${module}`, import.meta.url));
    const code = `const module = await import(${JSON.stringify(file)});\n${lines}`;
    this.process = spawn(process.execPath, ["--input-type=module", "-e", code, "--", ...args], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#ended = once(this.process, "close");
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        this.#onOutput();
      });
    }
  }

  /** Waits until it has written `text`; fails when it ends before. */
  async says(text: string): Promise<void> {
    const said = new Promise<void>((resolve) => {
      this.#onOutput = () => this.output.includes(text) && resolve();
      this.#onOutput();
    });
    await Promise.race([said, this.#ended]);
    if (!this.output.includes(text)) throw new Error(`It did not say ${text}: ${this.output}`);
  }

  /** Waits for its end; its exit code, or `null` after a signal. */
  async end(): Promise<number | null> {
    await this.#ended;
    return this.process.exitCode;
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.#ended;
  }
}
