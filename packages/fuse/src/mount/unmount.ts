import { writeFile } from "node:fs/promises";
import { FuseError } from "../errors.js";
import { locateMountPoint } from "./mount-point.js";
import { runTool, type ToolResult } from "./run-tool.js";

/**
 * How to unmount.
 *
 * - `plain`: only when nobody uses it
 * - `lazy`: it is gone from the tree at once, and ends when the last user leaves
 */
export type UnmountMode = "plain" | "lazy";

/** Programs that unmount for users, in the order in which they are tried. */
export const FUSERMOUNT = ["fusermount3", "fusermount"] as const;

/**
 * Unmounts what is on top at a path, with umount(8) as root and fusermount3(1) otherwise.
 *
 * @param path - as the mount table has it
 * @returns `false` when it is in use, with "plain"
 * @throws {@link FuseError} with code "UNSUPPORTED" when the program is missing, "PERMISSION_DENIED" when
 *   somebody else has mounted it, "SYSTEM" when it fails otherwise
 */
export async function unmountPath(path: string, mode: UnmountMode): Promise<boolean> {
  const result = process.geteuid?.() === 0 ? await asRoot(path, mode) : await asUser(path, mode);
  if (result.ok) return true;
  if (/busy/i.test(result.message)) return false;
  const isDenied = /must be superuser|not permitted|mounted by/i.test(result.message);
  throw new FuseError(
    isDenied ? "PERMISSION_DENIED" : "SYSTEM",
    `Cannot unmount ${path}: ${result.message}`,
  );
}

async function asRoot(path: string, mode: UnmountMode): Promise<ToolResult> {
  const result = await runTool("umount", [...(mode === "lazy" ? ["-l"] : []), "--", path]);
  if (result !== undefined) return result;
  throw new FuseError("UNSUPPORTED", `Cannot unmount ${path}: there is no program umount`);
}

async function asUser(path: string, mode: UnmountMode): Promise<ToolResult> {
  const args = ["-u", ...(mode === "lazy" ? ["-z"] : []), "--", path];
  for (const program of FUSERMOUNT) {
    const result = await runTool(program, args);
    if (result !== undefined) return result;
  }
  throw missingFusermount(`Cannot unmount ${path}`);
}

/** The error for a system without the program that mounts for users. */
export function missingFusermount(action: string): FuseError {
  return new FuseError(
    "UNSUPPORTED",
    `${action}: there is no program fusermount3, which users need for that; install the package fuse3, or do it as root`,
  );
}

/**
 * Ends the connection of a FUSE file system, so that all who wait for an answer, and all who ask from now on, get
 * an error, and takes it out of the tree.
 *
 * @throws {@link FuseError} as {@link unmountPath}
 */
export async function forceUnmount({ path, device }: Mounted): Promise<void> {
  const isAborted = await abortConnection(device);
  // It ends the connection too, and fails when somebody still has a file open.
  if (!isAborted && process.geteuid?.() === 0) await runTool("umount", ["-f", "--", path]);
  await removeMount({ path, device }, "lazy");
}

/**
 * Unmounts one mount, and leaves another one at its place alone. That somebody else has done so meanwhile is as good.
 *
 * @returns `false` when it is in use, with "plain"
 * @throws {@link FuseError} as {@link unmountPath}
 */
export async function removeMount({ path, device }: Mounted, mode: UnmountMode): Promise<boolean> {
  const isThere = async () => (await locateMountPoint(path)).mounted?.device === device;
  if (!(await isThere())) return true;
  try {
    return await unmountPath(path, mode);
  } catch (error) {
    if (await isThere()) throw error;
    return true;
  }
}

/** What is to be unmounted, as the mount table has it. */
interface Mounted {
  readonly path: string;
  readonly device: string;
}

/**
 * Ends a connection without a look at the tree, also when it is not in it any more. Root may do that, and who has
 * mounted it.
 *
 * @param device - as the mount table has it
 * @returns whether it could be done: the control file system of FUSE may not be mounted
 */
export async function abortConnection(device: string): Promise<boolean> {
  const minor = device.slice(device.indexOf(":") + 1);
  try {
    await writeFile(`/sys/fs/fuse/connections/${minor}/abort`, "1", { flag: "r+" });
    return true;
  } catch {
    return false;
  }
}
