import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

// The last four keep Chromium from calling home at its start, which fails slowly behind a firewall.
const FLAGS = [
  "--headless",
  "--no-sandbox", // The sandbox refuses to run as root; the page is our own.
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Path of Chromium; `undefined` when it is not installed. */
export function findChromium(): string | undefined {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  return directories.map((directory) => join(directory, "chromium")).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A headless Chromium with an empty profile of its own. */
export class Chromium {
  readonly #process: ChildProcess;
  readonly #profile: string;
  #log = "";

  private constructor(process: ChildProcess, profile: string) {
    this.#process = process;
    this.#profile = profile;
    process.stderr?.on("data", (chunk: Buffer) => {
      this.#log += chunk.toString("utf8");
    });
  }

  static async open(executable: string, url: string): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), "tvix-e2e-chromium-"));
    const args = [...FLAGS, `--user-data-dir=${profile}`, "--enable-logging=stderr", url];
    return new Chromium(spawn(executable, args, { stdio: ["ignore", "ignore", "pipe"] }), profile);
  }

  /** Rejects with its log as soon as the browser ends by itself. */
  async ended(): Promise<never> {
    const [code] = await once(this.#process, "close");
    throw new Error(`Chromium ended with exit code ${code}:\n${this.#log}`);
  }

  /** What it wrote to standard error so far: messages of the page's console among them. */
  get log(): string {
    return this.#log;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill("SIGKILL");
      await once(this.#process, "close");
    }
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
