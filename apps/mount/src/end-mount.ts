import {
  abortConnection,
  type DeviceMount,
  forceUnmount,
  isDeadMount,
  MOUNT_TYPE,
  type MountEntry,
  readMountTable,
  removeMount,
  type Session,
} from "@tvix/fuse";
import { describeHolders } from "./describe-holders.js";
import type { MountHost } from "./mount-host.js";
import { hasEnded } from "./within.js";

/** How long users of a mount may go on after it was asked to end, in milliseconds. */
const GRACE_MS = 1000;

/** How long the kernel may take to notice that it is over, in milliseconds. */
const NOTICE_MS = 500;

/** A mount that is being served. */
export interface ServedMount {
  readonly mount: DeviceMount;
  readonly session: Session;
  /** Until the kernel is gone. */
  readonly served: Promise<void>;
}

/**
 * Ends a mount from this side. One that is in use is taken out of the tree, says who uses it, and ends a second
 * later for them, too.
 */
export async function endMount(parts: ServedMount, host: MountHost): Promise<void> {
  const begin = performance.now();
  let isUsed = false;
  for (const place of await placesOf(parts.mount)) {
    if (!(await remove(parts.mount, place, host))) isUsed = true;
  }
  // To find out who uses it takes some of their time.
  const patience = isUsed ? GRACE_MS - (performance.now() - begin) : NOTICE_MS;
  // It may also be mounted where this process does not see it.
  if (!(await hasEnded(parts.served, Math.max(0, patience)))) await close(parts, host);
}

/**
 * Takes away what is left of a mount whose connection somebody else has ended: it stays in the tree when it is in use
 * at that moment.
 */
export async function removeRemains(mount: DeviceMount): Promise<void> {
  for (const { path } of await placesOf(mount)) {
    // Another mount may have got the same number meanwhile.
    if (await isDeadMount(path)) await removeMount({ path, device: mount.device }, "lazy");
  }
}

/** @returns whether nobody uses it */
async function remove(mount: DeviceMount, place: Place, host: MountHost): Promise<boolean> {
  const { path, entry } = place;
  const mounted = { path, device: mount.device };
  if (await removeMount(mounted, "plain")) return true;
  const holders = await describeHolders(entry);
  // A thread that waits on the device could not be stopped once the mount is out of the tree.
  const end = mount.isThreaded ? "now" : "in a second";
  host.note(`${path} is in use by ${holders}; it is unmounted, and ends for them ${end}`);
  if (mount.isThreaded) await forceUnmount(mounted);
  else await removeMount(mounted, "lazy");
  return false;
}

/** Ends the connection, by closing the device. A thread that waits on it would keep it open. */
async function close({ session, mount, served }: ServedMount, host: MountHost): Promise<void> {
  if (mount.isThreaded && !(await abortConnection(mount.device))) {
    host.note(`${mount.path} is mounted somewhere else, too, and is served until it is not`);
    await served.catch(() => {});
    return;
  }
  await session.close();
}

/** Where a mount is. */
interface Place {
  readonly path: string;
  readonly entry: MountEntry;
}

/** Where a mount is now: it may have been moved, or be there twice. The last one comes first. */
async function placesOf({ device }: DeviceMount): Promise<readonly Place[]> {
  const entries = (await readMountTable()).filter(
    (entry) => entry.device === device && entry.type === MOUNT_TYPE,
  );
  return entries
    .reverse()
    .map((entry) => ({ path: Buffer.from(entry.mountPoint).toString("utf8"), entry }));
}
