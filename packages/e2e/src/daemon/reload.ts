import { until } from "../cli/until.js";
import type { Daemon } from "./start-daemon.js";

/** How often the log has said something so far. */
export function timesSaid(daemon: Daemon, message: string): number {
  return daemon.log().split(`"msg":"${message}`).length - 1;
}

/** Has the daemon read its files again, and waits until it has said so. */
export async function reload(daemon: Daemon, message = "reloaded"): Promise<void> {
  const before = timesSaid(daemon, message);
  daemon.signal("SIGHUP");
  await until(() => timesSaid(daemon, message) > before);
}
