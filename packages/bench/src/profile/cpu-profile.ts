import type { ModuleNames } from "./bundle-modules.js";

/** The parts of a `.cpuprofile`, the format of V8's sampling profiler, that are used. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds. */
  readonly startTime: number;
  readonly endTime: number;
  /** The id of the running node, at each sample. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** A function at a place of the call tree. */
interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    /** Where it begins, counted from 0. */
    readonly lineNumber: number;
  };
}

/** Time in one function itself, without what it called. */
interface FunctionTime {
  /** Name and file, such as `compress (compression.js)`. */
  readonly name: string;
  readonly milliseconds: number;
}

/** What one thread did. */
export interface ThreadSummary {
  readonly name: string;
  /** From its start to its end. */
  readonly lifeMilliseconds: number;
  /** All but waiting for events. A call that blocks, such as reading a file, counts as busy. */
  readonly busyMilliseconds: number;
  /** Where it was busy, the longest first. */
  readonly functions: readonly FunctionTime[];
}

/** Not working: V8's name for a thread that waits in its event loop. */
const IDLE = "(idle)";

/** How the modules are named that worker threads are started with. */
const THREAD_MODULE = "-thread.js";

/**
 * Sums up the samples of one thread.
 *
 * @param threadId - Node's number for it; 0 is the main thread
 * @param moduleName - tells which module a function is in
 */
export function summarizeThread(
  profile: CpuProfile,
  threadId: number,
  moduleName: ModuleNames,
): ThreadSummary {
  const names = new Map(profile.nodes.map((node) => [node.id, functionName(node, moduleName)]));
  const microseconds = new Map<string, number>();
  profile.samples.forEach((id, index) => {
    const name = names.get(id) ?? "(unknown)";
    microseconds.set(name, (microseconds.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
  });
  const functions = [...microseconds]
    .filter(([name]) => name !== IDLE)
    .map(([name, time]) => ({ name, milliseconds: time / 1000 }))
    .sort((a, b) => b.milliseconds - a.milliseconds);
  return {
    name: threadId === 0 ? "main" : threadName(profile),
    lifeMilliseconds: (profile.endTime - profile.startTime) / 1000,
    busyMilliseconds: functions.reduce((sum, { milliseconds }) => sum + milliseconds, 0),
    functions,
  };
}

function functionName({ callFrame }: ProfileNode, moduleName: ModuleNames): string {
  const { functionName, url, lineNumber } = callFrame;
  const name = functionName === "" ? "(anonymous)" : functionName;
  return url === "" ? name : `${name} (${moduleName(url, lineNumber)})`;
}

/** A worker is called after the module it was started with. */
function threadName(profile: CpuProfile): string {
  const files = profile.nodes.map(({ callFrame }) => fileName(callFrame.url));
  const own = files.find((file) => file.endsWith(THREAD_MODULE));
  return own === undefined ? "worker" : own.slice(0, -THREAD_MODULE.length);
}

function fileName(url: string): string {
  return url.slice(url.lastIndexOf("/") + 1);
}
