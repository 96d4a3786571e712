import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Command, measure } from "../process/measure.js";
import { peakMemoryBytes } from "../process/proc-files.js";

/** A program that serves a mount until that is unmounted. */
export class MountedFileSystem implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #mountPoint: string;
  readonly #signal: AbortSignal;

  private constructor(child: ChildProcess, mountPoint: string, signal: AbortSignal) {
    this.#child = child;
    this.#mountPoint = mountPoint;
    this.#signal = signal;
  }

  /**
   * Starts a program that stays in the foreground, and waits until its mount answers.
   *
   * @param mountPoint - made if it does not exist
   * @throws Error when the program ends before, with what it said
   */
  static async start(
    { program, args, env }: Command,
    mountPoint: string,
    signal: AbortSignal,
  ): Promise<MountedFileSystem> {
    mkdirSync(mountPoint, { recursive: true });
    const child = spawn(program, args, {
      env: { ...(env ?? process.env) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (bytes: Buffer) => {
      said = (said + bytes.toString("utf8")).slice(-SAID_LENGTH);
    });
    for (const limit = performance.now() + START_MS; !isMounted(mountPoint); ) {
      if (child.exitCode !== null || performance.now() > limit || signal.aborted) {
        child.kill("SIGTERM");
        signal.throwIfAborted();
        throw new Error(`Cannot mount with ${program}: ${said.trim()}`);
      }
      await pause(LOOK_EVERY_MS);
    }
    return new MountedFileSystem(child, mountPoint, signal);
  }

  /** The largest resident memory that the program ever had, in bytes. */
  peakBytes(): number | undefined {
    return this.#child.pid === undefined ? undefined : peakMemoryBytes(this.#child.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, "exit");
    const unmount = { program: "umount", args: [this.#mountPoint] };
    await measure(unmount, { stdout: "discard", signal: this.#signal });
    if (this.#child.exitCode === null && this.#child.signalCode === null) await exited;
  }
}

const SAID_LENGTH = 2000;
const START_MS = 20_000;
const LOOK_EVERY_MS = 10;

function isMounted(mountPoint: string): boolean {
  return statSync(mountPoint).dev !== statSync(dirname(mountPoint)).dev;
}
