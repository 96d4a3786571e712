// The parts of Linux's /proc that measuring needs; proc(5) describes the files.
import { readFileSync } from "node:fs";

/** Unit of the times in `/proc/PID/stat`: USER_HZ, which Linux shows as 100 a second everywhere. */
const TICKS_PER_SECOND = 100;

/**
 * CPU time, user and system, of all processes that this one has waited for, in seconds.
 *
 * @returns `undefined` where there is no /proc
 */
export function childrenCpuSeconds(): number | undefined {
  const stat = readProc("/proc/self/stat");
  return stat === undefined ? undefined : parseChildrenCpuSeconds(stat);
}

/**
 * The largest resident memory that a running process ever had, in bytes.
 *
 * @returns `undefined` where there is no /proc, or when the process has ended
 */
export function peakMemoryBytes(pid: number): number | undefined {
  const status = readProc(`/proc/${pid}/status`);
  return status === undefined ? undefined : parsePeakMemoryBytes(status);
}

/**
 * CPU time, user and system, of all threads of a running process, in seconds.
 *
 * @returns `undefined` where there is no /proc, or when the process has ended
 */
export function cpuSeconds(pid: number): number | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : parseCpuSeconds(stat);
}

/** @param stat - content of `/proc/PID/stat` */
export function parseCpuSeconds(stat: string): number {
  // utime and stime are fields 14 and 15.
  return sumOfTicks(stat, 14);
}

/** @param stat - content of `/proc/PID/stat` */
export function parseChildrenCpuSeconds(stat: string): number {
  // cutime and cstime are fields 16 and 17.
  return sumOfTicks(stat, 16);
}

/** Two neighbouring times, the first of them in this field, counted from one as proc(5) does. */
function sumOfTicks(stat: string, field: number): number {
  // The second field, the name of the program, is in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[field - 3]) + Number(fields[field - 2]);
  if (Number.isNaN(ticks)) throw new RangeError("Cannot read CPU times: fields are missing");
  return ticks / TICKS_PER_SECOND;
}

/** @param status - content of `/proc/PID/status`; a process that has ended has no memory left */
export function parsePeakMemoryBytes(status: string): number | undefined {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(status);
  return match === null ? undefined : Number(match[1]) * 1024;
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}
