import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { constants } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import type { DataDirSources } from "../data-dir.js";
import { CliError, EXIT, exitAfterSignal } from "../exit.js";

/** Names the descriptor on which a process in the background says that it is ready. */
const READY_VARIABLE = "TVIX_MOUNT_READY_FD";
const READY_FD = 3;

/** A log that has become longer than this begins anew, in bytes. */
const MAX_LOG_LENGTH = 4 * 1024 * 1024;

/** Longest part of a log that is shown, in bytes. */
const MAX_SHOWN_LENGTH = 64 * 1024;

/** How a process in the background began. */
export interface BackgroundStart {
  /** `undefined` when it is ready, else the status it ended with. */
  readonly status: number | undefined;
  /** What it has said so far. */
  readonly said: string;
}

/**
 * Where the log of a mount is by default: in `/var/log/tvix` for root, else in `$XDG_STATE_HOME/tvix` or
 * `~/.local/state/tvix`. It is named after the mount point.
 */
export function defaultLogFile(mountPoint: string, sources: DataDirSources): string {
  const state = sources.env["XDG_STATE_HOME"];
  const name = resolve(mountPoint).slice(1).replaceAll("/", "-").slice(-200);
  if (sources.isRoot) return join("/var/log/tvix", `mount-${name}.log`);
  const home =
    state !== undefined && isAbsolute(state) ? state : join(sources.homeDirectory, ".local/state");
  return join(home, "tvix", `mount-${name}.log`);
}

/**
 * Runs this command line again in the background and waits until it is ready or has ended. It is asked to end when
 * `signal` aborts before that.
 *
 * @param logFile - takes what it writes
 */
export async function startInBackground(
  logFile: string,
  signal: AbortSignal,
): Promise<BackgroundStart> {
  const log = openLog(logFile);
  try {
    const begin = fstatSync(log).size;
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      detached: true,
      stdio: ["ignore", log, log, "pipe"],
      env: { ...process.env, [READY_VARIABLE]: String(READY_FD) },
    });
    const stop = (): void => void child.kill("SIGTERM");
    signal.addEventListener("abort", stop, { once: true });
    const status = await readyOrEnded(child);
    signal.removeEventListener("abort", stop);
    return { status, said: readFrom(log, begin) };
  } finally {
    closeSync(log);
  }
}

function openLog(file: string): number {
  try {
    makeDirectory(dirname(file));
    const log = openSync(file, "a+", 0o640);
    if (fstatSync(log).size > MAX_LOG_LENGTH) ftruncateSync(log);
    return log;
  } catch (cause) {
    throw new CliError(
      EXIT.failed,
      `cannot write the log ${file}: name another file by --log-file, or stay in the foreground by --foreground`,
      { cause },
    );
  }
}

/** Like `recursive`, which does not end where a directory cannot be made in one that is there, as in `/proc`. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path);
}

/** @returns `undefined` when the process is ready, else its exit status */
function readyOrEnded(child: ChildProcess): Promise<number | undefined> {
  const ready = child.stdio[READY_FD] as Readable;
  return new Promise((settle, reject) => {
    child.once("error", reject);
    child.once("exit", (status, signalName) => {
      settle(status ?? exitAfterSignal(constants.signals[signalName ?? "SIGKILL"]));
    });
    // Its end alone says nothing: the process may be about to end with an error.
    ready.once("data", () => {
      ready.destroy();
      child.unref();
      settle(undefined);
    });
    ready.once("error", () => {});
  });
}

function readFrom(log: number, begin: number): string {
  const length = Math.min(MAX_SHOWN_LENGTH, Math.max(0, fstatSync(log).size - begin));
  const buffer = new Uint8Array(length);
  const read = length === 0 ? 0 : readSync(log, buffer, 0, length, begin);
  return Buffer.from(buffer.subarray(0, read)).toString("utf8");
}

/** This process, when it is the one in the background. */
export interface BackgroundProcess {
  /** Whether {@link ready} was called: nobody waits for this process any more. */
  readonly isReady: boolean;
  /** Tells the one that started it that it is ready. */
  ready(): void;
}

/** @returns `undefined` in a process that a person or a program started */
export function backgroundProcess(env: NodeJS.ProcessEnv): BackgroundProcess | undefined {
  const fd = Number(env[READY_VARIABLE]);
  if (fd !== READY_FD) return undefined;
  // Programs that are started here are not meant.
  delete env[READY_VARIABLE];
  let isReady = false;
  return {
    get isReady() {
      return isReady;
    },
    ready() {
      isReady = true;
      try {
        writeSync(fd, "ready\n");
      } catch {
        // The one that started this is gone; the mount stays.
      }
      closeSync(fd);
      // The directory it was started in can go.
      process.chdir("/");
    },
  };
}
