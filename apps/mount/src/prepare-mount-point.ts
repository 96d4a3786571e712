import {
  FuseError,
  isDeadMount,
  locateMountPoint,
  MOUNT_TYPE,
  type MountEntry,
  unmountPath,
} from "@tvix/fuse";
import type { MountHost } from "./mount-host.js";

/** Dead mounts may lie one over the other. */
const MAX_TAKEN_OVER = 16;

/**
 * Makes sure that no FUSE file system is mounted where a mount is wanted. What a process of ours left behind that was
 * killed is taken away.
 *
 * @returns the path as the mount table has it
 * @throws {@link FuseError} with code "BUSY" where one is mounted that lives, "DEAD_MOUNT" where one of
 *   others does not; an error of the system where there is no such directory
 */
export async function prepareMountPoint(mountPoint: string, host: MountHost): Promise<string> {
  for (let i = 0; i < MAX_TAKEN_OVER; i++) {
    const { path, mounted } = await locateMountPoint(mountPoint);
    // Nothing else can be dead, and a directory that is a mount of its own is as good as another.
    if (mounted === undefined || !/^fuse(?:\.|$)/.test(mounted.type)) return path;
    await takeOver(path, mounted, host);
  }
  throw new FuseError("DEAD_MOUNT", `Cannot mount at ${mountPoint}: dead mounts keep coming back`);
}

async function takeOver(path: string, { type }: MountEntry, host: MountHost): Promise<void> {
  if (!(await isDeadMount(path))) throw occupied(path, type);
  if (type !== MOUNT_TYPE) {
    throw new FuseError(
      "DEAD_MOUNT",
      `Cannot mount at ${path}: the process behind the mount of type ${type} there is gone; remove it first: umount ${path}`,
    );
  }
  // Who still has a file open there gets an error from it either way.
  await unmountPath(path, "lazy");
  host.note(`${path} was still mounted by a process that is gone, and is taken over`);
}

function occupied(path: string, type: string): FuseError {
  const advice =
    type === MOUNT_TYPE ? `unmount it first: tvix unmount ${path}` : "choose another directory";
  return new FuseError("BUSY", `Cannot mount at ${path}: ${type} is mounted there; ${advice}`);
}
