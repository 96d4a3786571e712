import type { Machine } from "../machine.js";

/** How far the store is: in the same machine, or a round trip away. */
export type Distance = "here" | "far";

/** A round trip to the store that is far, in milliseconds. */
export const ROUND_TRIP_MS = 50;

/** What one command took, in each round. */
interface DistanceFigures {
  readonly seconds: number[];
  /** Bytes that went to the daemon in the last round, and came from it. */
  sentBytes: number;
  receivedBytes: number;
}

/** A command, at both distances. */
export interface LatencyRow {
  readonly title: string;
  readonly here: DistanceFigures;
  readonly far: DistanceFigures;
}

/** One run as it is saved. */
export interface LatencyRun {
  readonly kind: "latency";
  readonly date: string;
  readonly command: string;
  readonly runs: number;
  readonly machine: Machine;
  readonly paths: number;
  readonly files: number;
  readonly rows: readonly LatencyRow[];
}
