/**
 * How many nodes there may be from the root to any node, both included, by default. Nix reads no
 * deeper since 2.34.7 (`narMaxDepth`, GHSA-vh5x-56v6-4368).
 */
export const NAR_NESTING_LIMIT = 64;

/** Largest file that a NAR may have: what is larger could not be counted exactly, nor be a blob. */
export const MAX_NAR_FILE_BYTES: number = Number.MAX_SAFE_INTEGER - 7;

/** What a reader of NARs puts up with. */
export interface NarLimits {
  /** See {@link NAR_NESTING_LIMIT}, the default. `Infinity` costs memory only. */
  readonly maxDepth?: number;
  /** Longest file in bytes; {@link MAX_NAR_FILE_BYTES} at most and by default. */
  readonly maxFileBytes?: number;
  /** Entries of one directory; as many as a Directory may have at most and by default. */
  readonly maxDirectoryEntries?: number;
  /**
   * Most bytes of the whole NAR. Give it wherever a size was announced: what decompression makes of
   * an upload can be any amount.
   */
  readonly maxNarSize?: bigint;
}
