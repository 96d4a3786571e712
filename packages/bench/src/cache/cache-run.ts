import type { Machine } from "../machine.js";

/** What is measured together, and saved together. */
export type CachePart = "copies" | "narinfo" | "nars";

export const CACHE_PARTS: readonly CachePart[] = ["copies", "narinfo", "nars"];

/** Who serves: our daemon over its store, or nginx over files. */
export type CacheSide = "tvix" | "nginx";

export const CACHE_SIDES: readonly CacheSide[] = ["tvix", "nginx"];

/** What is saved of every part. */
export interface RunHead {
  readonly kind: "cache";
  readonly date: string;
  readonly command: string;
  readonly runs: number;
  readonly machine: Machine;
  readonly versions: readonly string[];
}

/** The closure that is copied. */
export interface ClosureFacts {
  readonly paths: number;
  readonly narBytes: number;
  /** Bytes of the largest NAR in it. */
  readonly largestBytes: number;
}

/** Copies of a closure with the real Nix, in the order in which they were made. */
export interface CopyCell {
  readonly direction: "from" | "to";
  readonly side: CacheSide;
  readonly seconds: number[];
  /** Processor time of Nix. */
  readonly clientCpuSeconds: number[];
  /** Largest resident memory of the daemon; empty for the peer. */
  readonly serverPeakBytes: number[];
}

/** What `wrk` counted in one run. */
export interface WrkResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Requests for narinfos over so many connections. */
export interface NarinfoCell {
  readonly connections: number;
  readonly side: CacheSide;
  readonly results: WrkResult[];
}

/** One NAR up or down in one request, with a server that was just started. */
export interface NarCell {
  readonly direction: "put" | "get";
  readonly narBytes: number;
  readonly side: CacheSide;
  readonly seconds: number[];
  readonly serverPeakBytes: number[];
}

export interface CopiesRun extends RunHead {
  readonly part: "copies";
  readonly closure: ClosureFacts;
  readonly cells: readonly CopyCell[];
}

export interface NarinfoRun extends RunHead {
  readonly part: "narinfo";
  readonly closure: ClosureFacts;
  readonly cells: readonly NarinfoCell[];
}

export interface NarsRun extends RunHead {
  readonly part: "nars";
  readonly cells: readonly NarCell[];
}

/** One run as it is saved. What is reported is computed from this alone. */
export type CacheRun = CopiesRun | NarinfoRun | NarsRun;
