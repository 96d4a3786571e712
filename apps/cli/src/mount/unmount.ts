import { unmountStore } from "@tvix/mount";
import type { Host, Invocation } from "../command.js";
import { EXIT, UsageError } from "../exit.js";
import { readMountPoint } from "./mount-point.js";

/** Unmounts what the command line names. */
export async function unmount(invocation: Invocation, host: Host): Promise<number> {
  const { options } = invocation;
  const [isLazy, isForced] = [options.has("lazy"), options.has("force")];
  if (isLazy && isForced) {
    throw new UsageError("options --lazy and --force contradict each other: give one of them");
  }
  const mode = isLazy ? "lazy" : isForced ? "force" : "plain";
  const path = await unmountStore(readMountPoint(invocation), mode);
  if (!options.has("quiet")) host.stderr.line(`tvix: unmounted ${path}`);
  return EXIT.ok;
}
