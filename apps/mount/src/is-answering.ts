import { FuseError, isDeadMount, locateMountPoint } from "@tvix/fuse";

/** Whether something is mounted at a path, and somebody serves it. Takes some seconds where nobody answers. */
export async function isAnswering(mountPoint: string): Promise<boolean> {
  const { path, mounted } = await locateMountPoint(mountPoint);
  if (mounted === undefined) return false;
  try {
    return !(await isDeadMount(path));
  } catch (error) {
    if (FuseError.is(error, "BUSY")) return false;
    throw error;
  }
}
