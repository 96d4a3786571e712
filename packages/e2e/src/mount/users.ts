import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** What somebody does with a mount. */
export type Use = "idle" | "busy" | "reading";

/** Somebody who uses a mount; `undefined` when nobody does. */
export async function startUser(
  use: Use,
  mountPoint: string,
  file: string,
): Promise<ChildProcess | undefined> {
  switch (use) {
    case "idle":
      return undefined;
    case "busy":
      return await startShell('cd "$1" && echo in && exec cat', mountPoint);
    case "reading":
      // Past the page cache, so that each read is one of ours.
      return await startShell(
        'echo in; while dd iflag=direct bs=128k if="$1" of=/dev/null 2>/dev/null; do :; done',
        join(mountPoint, file),
      );
  }
}

async function startShell(line: string, argument: string): Promise<ChildProcess> {
  // In a group of its own, so that what it starts can be sent away with it.
  const child = spawn("sh", ["-c", line, "sh", argument], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
  });
  await once(child.stdout, "data");
  return child;
}

/** Sends the user away. */
export async function endUser(user: ChildProcess | undefined): Promise<void> {
  if (user === undefined || user.exitCode !== null || user.signalCode !== null) return;
  // All of them have its standard output open: it closes with the last one.
  const gone = once(user, "close");
  try {
    process.kill(-(user.pid ?? 0), "SIGKILL");
  } catch (error) {
    // It has just ended by itself.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
  await gone;
}
