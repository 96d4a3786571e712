import type { RawPath } from "./raw-path.js";
import type { StatRecord } from "./stat-record.js";

/**
 * Compares directories, and the files and links in them, with their stat records; one directory at a
 * time. Nothing is read, and links are not followed. All implementations give the same answers.
 */
export interface StatComparer extends Disposable {
  /**
   * Goes on to the directory at `path`.
   *
   * @returns whether it is the one that `record` tells of, unchanged
   */
  enter(path: RawPath, record: StatRecord): boolean;
  /**
   * Whether a file or link in the directory that was entered last is as its record says.
   *
   * @param leaf - one of the `leaves` of the record
   */
  isSame(leaf: number): boolean;
  /** Leaves the directory that was entered last. */
  [Symbol.dispose](): void;
}
