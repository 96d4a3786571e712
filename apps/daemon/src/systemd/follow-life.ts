import type { Life, LifeState } from "../life/life.js";
import type { Notifier } from "./notifier.js";

/** Tells the service manager what becomes of the daemon, and keeps its watchdog quiet. */
export function followLife(notifier: Notifier, life: Life): { stop(): void } {
  const { watchdogMs } = notifier;
  life.onChange((state) => void notifier.notify(...MESSAGES[state]()));
  const watchdog =
    watchdogMs === undefined
      ? undefined
      : // Half of the time, as sd_watchdog_enabled(3) advises.
        setInterval(() => void notifier.notify("WATCHDOG=1"), watchdogMs / 2).unref();
  return { stop: () => clearInterval(watchdog) };
}

const MESSAGES: Readonly<Record<LifeState, () => readonly string[]>> = {
  starting: () => ["STATUS=Opening the store"],
  listening: () => ["STATUS=Opening its sockets"],
  ready: () => ["READY=1", "STATUS=Serving"],
  // The time is part of the protocol, see Type=notify-reload in systemd.service(5).
  reloading: () => ["RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`],
  draining: () => ["STOPPING=1", "STATUS=Waiting for calls to end"],
  stopped: () => ["STATUS=Stopped"],
};
