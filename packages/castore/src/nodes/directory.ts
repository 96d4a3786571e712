import { CastoreError } from "../errors.js";
import type { PathComponent } from "../path/component.js";
import { MAX_NODE_SIZE, type Node } from "./node.js";

/** Most entries of one Directory. */
export const MAX_DIRECTORY_ENTRIES = 1_000_000;

/**
 * How `size` of a directory counts.
 *
 * - `documented`: entries plus the sizes of the child directories.
 * - `doubled`: twice the entries plus the sizes of the child directories, which the Rust reference
 *   has written since August 2024.
 */
export type DirectorySizeRule = "documented" | "doubled";

/** Which rule a Directory breaks. */
export type InvalidDirectoryReason =
  | "wrong-sorting"
  | "duplicate-name"
  | "invalid-name"
  | "invalid-node"
  | "size-overflow"
  | "too-many-entries"
  | "too-large"
  | "malformed"
  | "not-canonical";

/** A Directory, or an encoding of one, that breaks a rule of the format. */
export class InvalidDirectoryError extends CastoreError {
  override readonly name: string = "InvalidDirectoryError";
  readonly reason: InvalidDirectoryReason;

  constructor(reason: InvalidDirectoryReason, message: string, options?: ErrorOptions) {
    super("INVALID_ARGUMENT", `Invalid directory: ${message}`, options);
    this.reason = reason;
  }
}

/** One name of a Directory and what it stands for. */
export interface DirectoryEntry {
  readonly name: PathComponent;
  readonly node: Node;
}

/**
 * An immutable directory: entries in byte order of their unique names.
 *
 * Its digest is that of its canonical encoding, see `encodeDirectory()`.
 */
export class Directory {
  /** In byte order of the names. */
  readonly entries: readonly DirectoryEntry[];
  readonly #childSizes: bigint;

  private constructor(entries: readonly DirectoryEntry[], childSizes: bigint) {
    this.entries = entries;
    this.#childSizes = childSizes;
  }

  static readonly EMPTY: Directory = new Directory([], 0n);

  /**
   * Builds a Directory; the entries may come in any order.
   *
   * @throws {@link InvalidDirectoryError} with reason "duplicate-name", "too-many-entries" or
   *   "size-overflow"
   */
  static fromEntries(entries: Iterable<DirectoryEntry>): Directory {
    const sorted = [...entries];
    if (!isSorted(sorted)) sorted.sort((a, b) => a.name.compare(b.name));
    return Directory.fromSortedEntries(sorted);
  }

  /**
   * Builds a Directory of entries that are in order already. Takes the array over.
   *
   * @throws {@link InvalidDirectoryError}, with reason "wrong-sorting" when they are not
   */
  static fromSortedEntries(entries: readonly DirectoryEntry[]): Directory {
    if (entries.length > MAX_DIRECTORY_ENTRIES) {
      throw new InvalidDirectoryError(
        "too-many-entries",
        `${entries.length} entries, more than ${MAX_DIRECTORY_ENTRIES}`,
      );
    }
    let childSizes = 0n;
    let previous: DirectoryEntry | undefined;
    for (const entry of entries) {
      if (previous !== undefined) checkOrder(previous.name, entry.name);
      if (entry.node.type === "directory") childSizes += entry.node.size;
      previous = entry;
    }
    if (childSizes + 2n * BigInt(entries.length) > MAX_NODE_SIZE) {
      throw new InvalidDirectoryError("size-overflow", "its total size exceeds 2^64-1");
    }
    return new Directory(entries, childSizes);
  }

  /** Size by `rule`: the `size` that a node which refers to this Directory carries. */
  size(rule: DirectorySizeRule = "documented"): bigint {
    const entries = BigInt(this.entries.length);
    return (rule === "doubled" ? 2n * entries : entries) + this.#childSizes;
  }

  /** The node of that name; `undefined` when there is none. Takes O(log n). */
  get(name: PathComponent): Node | undefined {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.entries[middle] as DirectoryEntry;
      const order = entry.name.compare(name);
      if (order === 0) return entry.node;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }
}

function isSorted(entries: readonly DirectoryEntry[]): boolean {
  return entries.every(
    (entry, i) => i === 0 || (entries[i - 1] as DirectoryEntry).name.compare(entry.name) <= 0,
  );
}

function checkOrder(previous: PathComponent, name: PathComponent): void {
  const order = previous.compare(name);
  if (order === 0)
    throw new InvalidDirectoryError("duplicate-name", `"${name}" is a duplicate name`);
  if (order > 0) {
    throw new InvalidDirectoryError(
      "wrong-sorting",
      `"${name}" is not sorted: it comes after "${previous}"`,
    );
  }
}
