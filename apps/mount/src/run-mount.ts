import { realpath } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import {
  type FileSystem,
  FuseError,
  mountDevice,
  type OnError,
  Session,
  setReadAhead,
} from "@tvix/fuse";
import { endMount, removeRemains, type ServedMount } from "./end-mount.js";
import type { MountHost } from "./mount-host.js";
import { prepareMountPoint } from "./prepare-mount-point.js";

/** How a file system is mounted. */
export interface RunMountOptions {
  /** Lets other users in, not only who mounts. No by default. */
  readonly allowOther?: boolean;
  /** How far the kernel reads ahead in a file, where this process may decide that; 1024 by default. */
  readonly readAheadKibibytes?: number;
  /** Does without native code even where it could be used. Only root can mount so. */
  readonly withoutNative?: boolean;
  /** A directory that the file system reads, and that must not be hidden by the mount. */
  readonly storeDirectory?: string;
  /** Called as soon as the mount answers, with its path. */
  readonly onReady?: (path: string) => void | Promise<void>;
  /** Is told what the file system failed at, see {@link SessionOptions}. */
  readonly onError?: OnError;
}

const READ_AHEAD_KIBIBYTES = 1024;

/**
 * Mounts a file system and serves it until it is unmounted, by whomever, or the host's signal asks for the
 * end. Nothing is mounted any more when it returns, whether it fails or not.
 *
 * @throws {@link FuseError} and errors of the system when it cannot be mounted, or the device fails
 */
export async function runMount(
  mountPoint: string,
  fileSystem: FileSystem,
  host: MountHost,
  options: RunMountOptions = {},
): Promise<void> {
  const path = await prepareMountPoint(mountPoint, host);
  await refuseToHide(path, options.storeDirectory);
  host.signal.throwIfAborted();
  const mount = await mountDevice(path, options);
  const { onError } = options;
  const session = new Session(mount.channel, fileSystem, onError === undefined ? {} : { onError });
  const parts = { mount, session, served: session.serve() };
  let isOver = false;
  const over = parts.served.finally(() => {
    isOver = true;
  });
  // Who ends the mount meanwhile does not hear of a device that breaks.
  over.catch(() => {});
  const stop = aborted(host.signal);
  try {
    await Promise.race([beReady(parts, options), stop.promise]);
    await Promise.race([over, stop.promise]);
  } finally {
    stop.forget();
    // What waits for an answer of the store may take longer than anybody wants to wait for that.
    await (isOver ? removeRemains(mount) : endMount(parts, host));
  }
}

/** Reads of the store would go through the mount, and wait for themselves. */
async function refuseToHide(path: string, storeDirectory: string | undefined): Promise<void> {
  if (storeDirectory === undefined) return;
  const directory = await realpath(storeDirectory).catch(() => resolve(storeDirectory));
  if (!join(directory, sep).startsWith(join(path, sep))) return;
  throw new FuseError(
    "INVALID_ARGUMENT",
    `Cannot mount at ${path}: that would hide the store in ${storeDirectory}`,
  );
}

async function beReady(
  { mount, session, served }: ServedMount,
  options: RunMountOptions,
): Promise<void> {
  const connection = await session.ready;
  if (connection === undefined) {
    await served;
    throw new FuseError("SYSTEM", `Cannot mount at ${mount.path}: it was unmounted at once`);
  }
  await setReadAhead(mount, options.readAheadKibibytes ?? READ_AHEAD_KIBIBYTES);
  await options.onReady?.(mount.path);
}

/** Settles when a signal aborts. */
function aborted(signal: AbortSignal): {
  readonly promise: Promise<void>;
  readonly forget: () => void;
} {
  let listener = (): void => {};
  const promise = new Promise<void>((settle) => {
    listener = () => settle();
  });
  if (signal.aborted) listener();
  signal.addEventListener("abort", listener, { once: true });
  return { promise, forget: () => signal.removeEventListener("abort", listener) };
}
