import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { FuseError } from "../errors.js";
import { type MountEntry, mountAt, readMountTable } from "./mount-table.js";
import { runTool } from "./run-tool.js";

/** A place for a mount, and what is mounted there already. */
export interface MountPoint {
  /** Absolute, without symbolic links, as the mount table has it. */
  readonly path: string;
  readonly mounted: MountEntry | undefined;
}

/**
 * Finds out where a path leads, without a question to a file system that is mounted right there: it may be
 * dead, or never answer.
 *
 * @throws an error of the system, when a directory on the way there is missing or not to be searched
 */
export async function locateMountPoint(path: string): Promise<MountPoint> {
  const table = await readMountTable();
  const absolute = resolve(path);
  if (absolute === "/") return { path: absolute, mounted: mountAt(table, absolute) };
  const place = join(await realpath(dirname(absolute)), basename(absolute));
  const mounted = mountAt(table, place);
  if (mounted !== undefined) return { path: place, mounted };
  const isLink = (await lstat(place)).isSymbolicLink();
  return isLink ? await locateMountPoint(await realpath(place)) : { path: place, mounted };
}

/** How long a mounted file system may take to tell whether it lives, in milliseconds. */
const PROBE_MS = 5000;

/**
 * Whether the process that served a mounted file system is gone. Another process asks, as one that asks a
 * file system that never answers may not be able to end.
 *
 * @throws {@link FuseError} with code "BUSY" when it does not answer in time
 */
export async function isDeadMount(path: string): Promise<boolean> {
  let late: NodeJS.Timeout | undefined;
  const silence = new Promise<"silent">((settle) => {
    late = setTimeout(settle, PROBE_MS, "silent");
    late.unref();
  });
  try {
    const result = await Promise.race([runTool("stat", ["-f", "--", path]), silence]);
    if (result !== "silent") return result !== undefined && /not connected/i.test(result.message);
  } finally {
    clearTimeout(late);
  }
  throw new FuseError("BUSY", `Cannot use ${path}: what is mounted there does not answer`);
}
