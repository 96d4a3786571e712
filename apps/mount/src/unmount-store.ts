import {
  FuseError,
  forceUnmount,
  locateMountPoint,
  MOUNT_TYPE,
  type MountPoint,
  unmountPath,
} from "@tvix/fuse";
import { describeHolders } from "./describe-holders.js";

/**
 * How to unmount.
 *
 * - `plain`: only when nobody uses it
 * - `lazy`: it is out of the tree at once, and ends when the last user leaves
 * - `force`: it ends at once, and its users get errors
 */
export type UnmountStoreMode = "plain" | "lazy" | "force";

/**
 * Unmounts what `tvix mount` mounted, whether the process that serves it still lives or not. That process ends
 * by itself.
 *
 * @returns the path in the mount table
 * @throws {@link FuseError} with code "NOT_MOUNTED", with "BUSY" and who uses it, or as {@link unmountPath}
 */
export async function unmountStore(mountPoint: string, mode: UnmountStoreMode): Promise<string> {
  const { path, mounted } = await locate(mountPoint);
  if (mounted === undefined) {
    throw new FuseError("NOT_MOUNTED", `Cannot unmount ${path}: nothing is mounted there`);
  }
  if (mounted.type !== MOUNT_TYPE) {
    throw new FuseError(
      "NOT_MOUNTED",
      `Cannot unmount ${path}: it is not a mount of tvix but of type ${mounted.type}`,
    );
  }
  if (mode === "force") {
    await forceUnmount({ path, device: mounted.device });
  } else if (!(await unmountPath(path, mode))) {
    const holders = await describeHolders(mounted);
    throw new FuseError(
      "BUSY",
      `Cannot unmount ${path}: it is in use by ${holders}; --lazy lets them finish, --force ends it for them`,
    );
  }
  return path;
}

async function locate(mountPoint: string): Promise<MountPoint> {
  try {
    return await locateMountPoint(mountPoint);
  } catch (error) {
    throw new FuseError("NOT_MOUNTED", `Cannot unmount ${mountPoint}`, { cause: error });
  }
}
