import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { until } from "../cli/until.js";

/** What the kernel tells about a process. Linux only. */
export interface ProcessWatch {
  /** Memory that it has now, in bytes. */
  residentBytes(): number;
  /** Most memory that it has had since {@link forgetPeak}, in bytes. */
  peakResidentBytes(): number;
  forgetPeak(): void;
  /** File descriptors that it has open. */
  openFiles(): number;
  /** Descriptors that stay open: waits until there are at most `limit`, at most a minute. */
  settledOpenFiles(limit: number): Promise<number>;
}

export function watchProcess(pid: number): ProcessWatch {
  const openFiles = (): number => readdirSync(`/proc/${pid}/fd`).length;
  return {
    residentBytes: () => statusBytes(pid, "VmRSS"),
    peakResidentBytes: () => statusBytes(pid, "VmHWM"),
    // "5" resets VmHWM, see proc(5).
    forgetPeak: () => writeFileSync(`/proc/${pid}/clear_refs`, "5"),
    openFiles,
    async settledOpenFiles(limit) {
      // How many there are says more than that the wait was in vain.
      await until(() => openFiles() <= limit).catch(() => {});
      return openFiles();
    },
  };
}

function statusBytes(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kibibytes = new RegExp(`^${field}:\\s*(\\d+) kB$`, "m").exec(status)?.[1];
  if (kibibytes === undefined) throw new Error(`No ${field} of process ${pid}:\n${status}`);
  return Number(kibibytes) * 1024;
}
