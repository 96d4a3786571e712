import { accessSync, constants, mkdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Outcome, type Running, Sandbox } from "../cli/tvix.js";
import { until } from "../cli/until.js";
import { skipReason } from "../daemon/requirement.js";
import { type ProgramOutcome, runProgram } from "../daemon/run.js";

/** Why there can be no mounts here; `undefined` where they are possible. */
export const NO_MOUNTS: string | undefined = skipReason(
  isUsable("/dev/fuse") && process.geteuid?.() === 0,
  "a usable /dev/fuse, for root,",
);

function isUsable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** How requests get from the kernel into the process. */
export type Transport = "polled" | "threaded";

export interface MountOptions {
  /** Of the command. */
  readonly options?: readonly string[];
  /** What is shown; the whole store by default. */
  readonly target?: string;
  /** "polled" by default. */
  readonly transport?: Transport;
  /** Where; a new place by default. */
  readonly path?: string;
}

/** A mount, served in the foreground by a process of its own. */
export interface ServedMount {
  readonly path: string;
  readonly running: Running;
  readonly pid: number;
}

/** A sandbox whose store is mounted, again and again, each time somewhere else. */
export class MountRig {
  readonly sandbox: Sandbox;
  readonly #paths: string[] = [];

  private constructor(sandbox: Sandbox) {
    this.sandbox = sandbox;
  }

  static async create(): Promise<MountRig> {
    return new MountRig(await Sandbox.create());
  }

  /** An empty directory to mount on. Whatever is mounted there is unmounted in the end. */
  newMountPoint(): string {
    const path = this.sandbox.path(`mnt${this.#paths.length}`);
    mkdirSync(path);
    this.#paths.push(path);
    return path;
  }

  /** Imports something. @returns its base name in the store */
  async import(path: string): Promise<string> {
    return basename(await this.sandbox.text(["import", path]));
  }

  /** Runs `tvix mount --foreground` until it says that it is ready. */
  async mount(how: MountOptions = {}): Promise<ServedMount> {
    const path = how.path ?? this.newMountPoint();
    const target = how.target === undefined ? [] : [how.target];
    const words = ["mount", "--foreground", ...(how.options ?? []), path, ...target];
    const running = this.sandbox.start(words, {
      env: { TVIX_MOUNT_NATIVE: how.transport === "threaded" ? "0" : undefined },
    });
    let ended: Outcome | undefined;
    running.outcome.then(
      (outcome) => {
        ended = outcome;
      },
      () => {},
    );
    await until(() => running.stderr().includes(`mounted at ${path};`) || ended !== undefined);
    if (ended !== undefined) throw new Error(`tvix mount ended: ${ended.stderr}`);
    return { path, running, pid: running.child.pid ?? 0 };
  }

  /** Ends everything that is still mounted, and all processes. */
  async end(): Promise<void> {
    for (const path of this.#paths) {
      while (isMounted(path)) await runProgram("umount", ["-l", path]);
    }
    this.sandbox.killAll();
  }

  async remove(): Promise<void> {
    await this.end();
    await this.sandbox.remove();
  }
}

/** Whether something is mounted at a path, which has no blanks. No file system is asked. */
export function isMounted(path: string): boolean {
  return readFileSync("/proc/self/mounts", "utf8").includes(` ${path} `);
}

/** Runs a program in a shell line: `sh -c LINE sh ARGS`. */
export function shell(line: string, ...args: readonly string[]): Promise<ProgramOutcome> {
  return runProgram("sh", ["-c", line, "sh", ...args]);
}

/** Runs a shell line that must succeed. @returns what it wrote */
export async function shellText(line: string, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await shell(line, ...args);
  if (status !== 0) throw new Error(`${line} ended with ${status}: ${stderr}`);
  return stdout.toString("utf8");
}

/** How long work took, without the time in which this machine did nothing for this process, in ms. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const stalls = monitorEventLoopDelay({ resolution: 10 });
  stalls.enable();
  const begin = performance.now();
  await work();
  const elapsed = performance.now() - begin;
  stalls.disable();
  return elapsed - Math.max(0, stalls.max / 1e6 - 100);
}
