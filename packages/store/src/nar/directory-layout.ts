import {
  type B3Digest,
  type Directory,
  type DirectoryNode,
  decodeDirectory,
  encodeDirectory,
} from "@tvix/castore";
import { CLOSE_LENGTH, DIRECTORY_HEAD_LENGTH, entryHeadLength, leafLength } from "./nar-lengths.js";

/** What an object, an array and an entry in a map take besides the bytes in them, about. */
const OVERHEAD_BYTES = 512;

/** A child directory: which entry it is. */
interface ChildDirectory {
  readonly index: number;
  readonly node: DirectoryNode;
}

/**
 * How the NAR of one directory is laid out, wherever in a tree it is: positions count from the first
 * byte of its node. Keeps the Directory encoded, which takes a quarter of the space.
 */
export class DirectoryLayout {
  readonly digest: B3Digest;
  /** Its directories, in order. */
  readonly children: readonly ChildDirectory[];
  /** Nodes on the longest way down, itself included. */
  depth = 1;
  readonly #encoded: Uint8Array;
  /** Where each entry begins, and behind the last where the directory is closed. */
  readonly #starts: Float64Array;
  /** As long as there is memory to spare: a Directory is looked at several times in a row. */
  #decoded: WeakRef<Directory>;

  /** The lengths of child directories are missing until {@link complete}. */
  constructor(digest: B3Digest, directory: Directory) {
    const { entries } = directory;
    const children: ChildDirectory[] = [];
    this.digest = digest;
    this.children = children;
    this.#encoded = encodeDirectory(directory);
    this.#decoded = new WeakRef(directory);
    this.#starts = new Float64Array(entries.length + 1);
    let at = DIRECTORY_HEAD_LENGTH;
    entries.forEach(({ name, node }, index) => {
      this.#starts[index] = at;
      at += entryHeadLength(name.byteLength) + CLOSE_LENGTH;
      if (node.type === "directory") children.push({ index, node });
      else at += leafLength(node);
    });
    this.#starts[entries.length] = at;
    if (entries.length > 0) this.depth = 2;
  }

  /** Adds the lengths of the children, whose layouts are complete, in the same order. */
  complete(layouts: readonly DirectoryLayout[]): void {
    const starts = this.#starts;
    let added = 0;
    let next = 0;
    for (let i = 0; i < starts.length; i++) {
      (starts[i] as number) += added;
      if (this.children[next]?.index !== i) continue;
      const child = layouts[next++] as DirectoryLayout;
      added += child.length;
      this.depth = Math.max(this.depth, 1 + child.depth);
    }
  }

  /** Length of the node in bytes. */
  get length(): number {
    return this.closeStart + CLOSE_LENGTH;
  }

  /** Where the node is closed. */
  get closeStart(): number {
    return this.#starts[this.#starts.length - 1] as number;
  }

  /** Number of entries. */
  get entries(): number {
    return this.#starts.length - 1;
  }

  /** What this takes in memory, in bytes, about. */
  get memoryBytes(): number {
    const children = this.children.length * 64;
    return OVERHEAD_BYTES + this.#encoded.byteLength + this.#starts.byteLength + children;
  }

  /** Where entry `index` begins; behind the last, where the node is closed. */
  start(index: number): number {
    return this.#starts[index] as number;
  }

  /** The entry that position `at` is in, of those between the first one and {@link closeStart}. */
  indexAt(at: number): number {
    let low = 0;
    let high = this.entries - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#starts[middle] as number) <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  directory(): Directory {
    const known = this.#decoded.deref();
    if (known !== undefined) return known;
    const directory = decodeDirectory(this.#encoded);
    this.#decoded = new WeakRef(directory);
    return directory;
  }
}
