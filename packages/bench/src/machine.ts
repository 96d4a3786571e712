import { execFileSync } from "node:child_process";
import { statfsSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";

/** What a run ran on. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryBytes: number;
  readonly kernel: string;
  /** File system of the scratch folder. */
  readonly fileSystem: string;
  readonly node: string;
  /** Which of the optional native libraries are installed. */
  readonly native: readonly string[];
  /** Commit of this repository, with "+changes" when files differ from it. */
  readonly commit: string | undefined;
  /** Processes that wanted to run in the minute before; above 0.5, figures are not to be trusted. */
  readonly load: number;
}

/** Magic numbers of statfs(2). */
const FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x01021994, "tmpfs"],
  [0xef53, "ext4"],
  [0x9123683e, "btrfs"],
  [0x58465342, "xfs"],
  [0x2fc12fc1, "zfs"],
  [0x794c7630, "overlayfs"],
]);

const OPTIONAL_LIBRARIES = ["@napi-rs/blake-hash", "zstd-napi"];

/** Looks at the machine. @param scratch - a folder that exists */
export function describeMachine(scratch: string): Machine {
  const type = statfsSync(scratch).type;
  const castore = createRequire(import.meta.resolve("@tvix/castore"));
  return {
    cores: os.availableParallelism(),
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    memoryBytes: os.totalmem(),
    kernel: `${os.type()} ${os.release()}`,
    fileSystem: FILE_SYSTEMS.get(type) ?? `type 0x${type.toString(16)}`,
    node: process.version,
    native: OPTIONAL_LIBRARIES.filter((name) => loads(castore, name)),
    commit: commit(),
    load: os.loadavg()[0] ?? 0,
  };
}

function loads(require: NodeJS.Require, name: string): boolean {
  try {
    require(name);
    return true;
  } catch {
    // Not installed, or not for this platform: that is what is asked.
    return false;
  }
}

function commit(): string | undefined {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { encoding: "utf8", cwd: import.meta.dirname, stdio: "pipe" }).trim();
  try {
    const changes = git("status", "--porcelain", "--untracked-files=no") === "" ? "" : "+changes";
    return git("rev-parse", "--short=12", "HEAD") + changes;
  } catch {
    // An unpacked archive is no git checkout.
    return undefined;
  }
}
