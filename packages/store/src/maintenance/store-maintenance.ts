import type { CallOptions } from "@tvix/castore";
import type { CheckFinding, CheckOptions, CheckProgress } from "@tvix/castore/local";

/** How much a store holds and what it takes; sizes in bytes. */
export interface StoreFigures {
  /** Where the store is kept, for people. */
  readonly dataDirectory: string;
  readonly pathInfos: number;
  readonly directories: number;
  /** Blobs of one piece, and pieces of larger ones. */
  readonly chunks: number;
  /** Blobs that are kept as a list of chunks. */
  readonly chunkedBlobs: number;
  readonly packs: number;
  /** What the store paths would take as NARs, each by itself; 0 unless it was asked for. */
  readonly narBytes: number;
  /** All content, each piece once, before compression. */
  readonly rawBytes: number;
  /** The same as it is stored. */
  readonly storedBytes: number;
  /** All files of the store, its index included. */
  readonly diskBytes: number;
}

/** Something that is wrong in a store; `reference` is also what is not what its reference says. */
export type StoreFinding = CheckFinding;

/** How far a check has come. */
export type StoreCheckProgress = CheckProgress;

export interface StoreCheckOptions extends CheckOptions {
  /** Whether to render every NAR and compare it as well; as dear as reading every store path. */
  readonly nars?: boolean;
}

export interface DescribeOptions extends CallOptions {
  /** Whether to add up the NARs of all store paths, which takes time in proportion to their number. */
  readonly narBytes?: boolean;
}

/** Answers about a store as a whole. */
export interface StoreMaintenance {
  /** How much the store holds. */
  describe(options?: DescribeOptions): Promise<StoreFigures>;

  /** Reads and verifies the whole store; yields what is wrong. */
  check(options?: StoreCheckOptions): AsyncIterable<StoreFinding>;
}
