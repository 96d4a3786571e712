import { closeSync, constants, openSync } from "node:fs";
import { stat, writeFile } from "node:fs/promises";
import type { Channel } from "../channel/channel.js";
import { PolledDeviceChannel } from "../device/polled-channel.js";
import { ThreadedDeviceChannel } from "../device/threaded-channel.js";
import { FuseError } from "../errors.js";
import { loadKoffi } from "../native/koffi.js";
import { fusermount } from "./fusermount.js";
import { mountAt, readMountTable } from "./mount-table.js";
import { runTool } from "./run-tool.js";

/** What {@link mountDevice} is told. */
export interface MountDeviceOptions {
  /** Lets other users in, not only who mounts. */
  readonly allowOther?: boolean;
  /** Does without native code even where it could be used. Only root can mount so. */
  readonly withoutNative?: boolean;
}

/** A file system that is mounted and waits for somebody to serve it. */
export interface DeviceMount {
  /** As the mount table has it. */
  readonly path: string;
  /** `MAJOR:MINOR`, see {@link MountEntry.device}. */
  readonly device: string;
  readonly channel: Channel;
  /** Whether requests come by a thread of the pool, see {@link ThreadedDeviceChannel}. */
  readonly isThreaded: boolean;
}

/** What the mount table shows: by its type a mount is known as one of ours. */
export const MOUNT_TYPE = "fuse.tvix";
const SOURCE = "tvix-store";
const DEVICE = "/dev/fuse";

/** Permissions are checked by the kernel, from modes and owners. */
const COMMON_OPTIONS = ["ro", "nosuid", "nodev", "default_permissions"] as const;

/**
 * Mounts a FUSE file system: with mount(8) as root, with fusermount3(1) otherwise. Whoever looks into it waits until
 * the channel is served.
 *
 * @param path - of a directory where nothing is mounted, as {@link locateMountPoint} gives it
 * @throws {@link FuseError} with code "UNSUPPORTED" when the system lacks something, "PERMISSION_DENIED" when
 *   it forbids it, "INVALID_ARGUMENT" when `path` is not a directory, "SYSTEM" when it fails otherwise
 */
export async function mountDevice(
  path: string,
  options: MountDeviceOptions = {},
): Promise<DeviceMount> {
  const { mode } = await stat(path);
  if ((mode & constants.S_IFMT) !== constants.S_IFDIR) {
    throw new FuseError("INVALID_ARGUMENT", `Cannot mount at ${path}: it is not a directory`);
  }
  const flags = [...COMMON_OPTIONS, ...(options.allowOther === true ? ["allow_other"] : [])];
  const koffi = options.withoutNative === true ? undefined : loadKoffi();
  const isRoot = process.geteuid?.() === 0;
  const fd = isRoot
    ? await mountAsRoot(path, flags, koffi !== undefined)
    : await fusermount(path, [...flags, `fsname=${SOURCE}`, `subtype=${MOUNT_TYPE.slice(5)}`]);
  const channel =
    koffi === undefined ? new ThreadedDeviceChannel(fd) : new PolledDeviceChannel(koffi, fd);
  try {
    const device = mountAt(await readMountTable(), path)?.device;
    if (device === undefined)
      throw new FuseError("SYSTEM", `Cannot mount at ${path}: it is gone again`);
    return { path, device, channel, isThreaded: koffi === undefined };
  } catch (error) {
    channel.close();
    throw error;
  }
}

async function mountAsRoot(
  path: string,
  flags: readonly string[],
  isPolled: boolean,
): Promise<number> {
  const fd = openDevice(path, isPolled);
  try {
    const rootMode = constants.S_IFDIR.toString(8);
    const own = ["fd=3", `rootmode=${rootMode}`, "user_id=0", "group_id=0"];
    // Without the helpers of libfuse, which want to start a program themselves.
    const args = ["-i", "-t", MOUNT_TYPE, "-o", [...own, ...flags].join(","), SOURCE, path];
    const result = await runTool("mount", args, fd);
    if (result === undefined) {
      throw new FuseError("UNSUPPORTED", `Cannot mount at ${path}: there is no program mount`);
    }
    if (!result.ok) throw new FuseError("SYSTEM", `Cannot mount at ${path}: ${result.message}`);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openDevice(path: string, isPolled: boolean): number {
  const flags = constants.O_RDWR | (isPolled ? constants.O_NONBLOCK : 0);
  try {
    return openSync(DEVICE, flags);
  } catch (error) {
    throw unusableDevice(path, error);
  }
}

/** What to do when the device cannot be opened. */
function unusableDevice(path: string, cause: unknown): FuseError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  const isMissing = code === "ENOENT" || code === "ENODEV" || code === "ENXIO";
  const hint = isMissing
    ? "the kernel has no FUSE here: load its module (modprobe fuse), or give the container the device"
    : "it is not accessible: in a container, give it the device and the capability SYS_ADMIN";
  return new FuseError(
    isMissing ? "UNSUPPORTED" : "PERMISSION_DENIED",
    `Cannot mount at ${path}: cannot open ${DEVICE}, ${hint}`,
    { cause },
  );
}

/**
 * How far the kernel reads ahead in files of a mount. It may be changed by root alone, once the session
 * has agreed on the protocol with the kernel.
 *
 * @returns whether it was changed
 */
export async function setReadAhead({ device }: DeviceMount, kibibytes: number): Promise<boolean> {
  try {
    await writeFile(`/sys/class/bdi/${device}/read_ahead_kb`, String(kibibytes), { flag: "r+" });
    return true;
  } catch {
    // Not root, or /sys is read-only as in containers: the kernel keeps its 128 KiB.
    return false;
  }
}
