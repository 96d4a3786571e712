import { readdir, readFile, readlink } from "node:fs/promises";
import type { MountEntry } from "./mount-table.js";

/** How a process uses a mounted file system. */
export type MountUse =
  | "working directory"
  | "root directory"
  | "program"
  | "mapped file"
  | "open file";

/** A process that uses a mounted file system. */
export interface MountHolder {
  readonly pid: number;
  /** Name of its program, at most 15 bytes; any characters. */
  readonly name: string;
  /** The first use that was found. */
  readonly use: MountUse;
  /** What is used, as the kernel shows it. */
  readonly path: string;
}

/**
 * Processes that keep a file system from being unmounted, as far as they can be seen: root sees all,
 * others their own. The file system itself is not asked.
 */
export async function findMountHolders(
  mount: Pick<MountEntry, "mountPoint" | "device">,
): Promise<readonly MountHolder[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const holders: MountHolder[] = [];
  for (const pid of pids) {
    const use = await findUse(pid, mount);
    if (use !== undefined) holders.push({ pid, name: await processName(pid), ...use });
  }
  return holders;
}

interface FoundUse {
  readonly use: MountUse;
  readonly path: string;
}

const LINKS: readonly (readonly [string, MountUse])[] = [
  ["cwd", "working directory"],
  ["root", "root directory"],
  ["exe", "program"],
];

async function findUse(
  pid: number,
  { mountPoint, device }: Pick<MountEntry, "mountPoint" | "device">,
): Promise<FoundUse | undefined> {
  const prefix = Buffer.from(mountPoint).toString("latin1");
  for (const [link, use] of LINKS) {
    const path = await linkInto(prefix, `/proc/${pid}/${link}`);
    if (path !== undefined) return { use, path };
  }
  for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
    const path = await linkInto(prefix, `/proc/${pid}/fd/${fd}`);
    if (path !== undefined) return { use: "open file", path };
  }
  const path = mappedFile(await readFile(`/proc/${pid}/maps`, "latin1").catch(() => ""), device);
  return path === undefined ? undefined : { use: "mapped file", path };
}

/** Where a link of `/proc` leads, if that is at or below `prefix`. Links that cannot be read lead nowhere. */
async function linkInto(prefix: string, link: string): Promise<string | undefined> {
  const target = await readlink(link, "latin1").catch(() => undefined);
  if (target === undefined) return undefined;
  const isInside = target === prefix || target.startsWith(prefix === "/" ? "/" : `${prefix}/`);
  return isInside ? display(target) : undefined;
}

/** `START-END MODE OFFSET MAJOR:MINOR INODE PATH`, with the device in hexadecimal (proc_pid_maps(5)). */
function mappedFile(maps: string, device: string): string | undefined {
  const [major, minor] = device
    .split(":")
    .map((part) => Number(part).toString(16).padStart(2, "0"));
  const wanted = ` ${major}:${minor} `;
  const line = maps.split("\n").find((text) => text.includes(wanted));
  return line === undefined ? undefined : display(line.split(/ +/).slice(5).join(" "));
}

async function processName(pid: number): Promise<string> {
  const name = await readFile(`/proc/${pid}/comm`, "latin1").catch(() => "?");
  return display(name.trimEnd());
}

function display(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}
