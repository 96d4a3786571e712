import type { Machine } from "../machine.js";
import type { Where } from "../options.js";
import type { TreeSize } from "../trees/walk-tree.js";

/** What the same trees are seen through. */
export type FileSystemId = "native" | "tvix" | "squashfuse" | "bindfs";

/** In the order of the columns. */
export const FILE_SYSTEMS: readonly FileSystemId[] = ["native", "tvix", "squashfuse", "bindfs"];

/** What is done with them; `work.ts` says how. */
export type WorkId = "find" | "du" | "tar" | "grep" | "sequential" | "random-1" | "random-4";

export const WORKS: readonly WorkId[] = [
  "find",
  "du",
  "tar",
  "grep",
  "sequential",
  "random-1",
  "random-4",
];

/** Whether the file system was mounted for it, or the same was done before. */
export type Temperature = "cold" | "warm";
export const TEMPERATURES: readonly Temperature[] = ["cold", "warm"];

/** The times of one work on one file system, in order. */
export interface MountCell {
  readonly fileSystem: FileSystemId;
  readonly work: WorkId;
  readonly temperature: Temperature;
  readonly seconds: number[];
}

/** What the process of a mount takes when everything was looked at once. */
export interface WalkedMemory {
  /** Files and directories that were looked at. */
  readonly entries: number;
  /** Its resident memory right after, in bytes. */
  readonly residentBytes: number;
  /** How long the walk took. */
  readonly seconds: number;
}

/** One run as it is saved. */
export interface MountRun {
  readonly kind: "mount";
  readonly where: Where;
  readonly date: string;
  readonly command: string;
  readonly runs: number;
  readonly machine: Machine;
  readonly versions: readonly string[];
  readonly trees: Readonly<Record<"T1" | "T2", TreeSize>>;
  readonly cells: readonly MountCell[];
  readonly memory: WalkedMemory;
}
