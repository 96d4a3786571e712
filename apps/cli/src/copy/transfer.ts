import type { CallOptions } from "@tvix/castore";
import type { StorePath } from "@tvix/store";

/** What is known about a path before it is copied. */
export interface PathFacts {
  readonly storePath: StorePath;
  readonly references: readonly StorePath[];
  /** In bytes. */
  readonly narSize: bigint;
  /** Whether the target has it. */
  readonly isPresent: boolean;
}

/** A path whose content is in the target. */
export interface MovedPath {
  /** What went over the wire for it, or was read from disk. */
  readonly bytesMoved: number;
  /** Makes the path known, after all that it refers to. */
  publish(): Promise<void>;
}

/** Copies single paths from one place to another. */
export interface Transfer {
  /** Where paths come from, for messages. */
  readonly source: string;
  /** Where they go, for messages. */
  readonly target: string;
  /** `undefined` when neither side has the path. */
  lookUp(outputHash: Uint8Array, options: CallOptions): Promise<PathFacts | undefined>;
  /** Copies the content of a path that the target does not have. */
  move(facts: PathFacts, options: CallOptions): Promise<MovedPath>;
}
