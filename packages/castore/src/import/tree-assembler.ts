import { copyBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { Directory, type DirectoryEntry, type DirectorySizeRule } from "../nodes/directory.js";
import {
  type DirectoryNode,
  directoryNode,
  fileNode,
  type Node,
  symlinkNode,
} from "../nodes/node.js";
import { SymlinkTarget } from "../nodes/symlink-target.js";
import { PathComponent } from "../path/component.js";
import { directoryDigest } from "../wire/directory-digest.js";
import type { TreeEventVisitor } from "./tree-events.js";

/** A Directory that is complete, as a tree is put together bottom up. */
export interface AssembledDirectory {
  readonly directory: Directory;
  readonly node: DirectoryNode;
  /** See stat-record.ts; empty when there is nothing to remember. */
  readonly record: Uint8Array;
  /** The names that lead to it from the root. */
  readonly path: readonly PathComponent[];
}

/**
 * Makes Directories of a tree's events, children before parents. Holds what is open: as many
 * directories as the tree is deep.
 */
export class TreeAssembler implements TreeEventVisitor {
  readonly #sizeRule: DirectorySizeRule;
  readonly #stack: DirectoryEntry[][] = [];
  readonly #names: PathComponent[] = [];
  #digests: Iterator<B3Digest> = [][Symbol.iterator]();
  #completed: AssembledDirectory[] = [];
  #root: Node | undefined;

  constructor(sizeRule: DirectorySizeRule) {
    this.#sizeRule = sizeRule;
  }

  /** The node of the whole tree, once its events are through. */
  get root(): Node {
    if (this.#root === undefined)
      throw new TypeError("Cannot tell the root before the tree is complete");
    return this.#root;
  }

  /** Digests of the files in the events that come next, in the same order. */
  expectDigests(digests: readonly B3Digest[]): void {
    this.#digests = digests[Symbol.iterator]();
  }

  /** The Directories that have become complete since the last call. */
  takeCompleted(): AssembledDirectory[] {
    const completed = this.#completed;
    this.#completed = [];
    return completed;
  }

  beginDirectory(): void {
    this.#stack.push([]);
  }

  entry(name: Uint8Array): void {
    this.#names.push(PathComponent.fromBytes(name));
  }

  endDirectory(record: Uint8Array): void {
    const directory = Directory.fromSortedEntries(this.#stack.pop() ?? []);
    const node = directoryNode(directoryDigest(directory), directory.size(this.#sizeRule));
    this.#completed.push({ directory, node, record: copyBytes(record), path: [...this.#names] });
    this.#place(node);
  }

  symlink(target: Uint8Array): void {
    this.#place(symlinkNode(SymlinkTarget.fromBytes(target)));
  }

  file(size: number, executable: boolean): void {
    const next = this.#digests.next();
    if (next.done === true)
      throw new CastoreError("STORAGE", "Cannot import: the store gave too few digests");
    this.#place(fileNode(next.value, BigInt(size), executable));
  }

  /** Does nothing: the event comes before the content; {@link placeLargeFile} follows it. */
  largeFile(): void {}

  placeLargeFile(digest: B3Digest, size: number, executable: boolean): void {
    this.#place(fileNode(digest, BigInt(size), executable));
  }

  #place(node: Node): void {
    const name = this.#names.pop();
    const parent = this.#stack.at(-1);
    if (name === undefined || parent === undefined) this.#root = node;
    else parent.push({ name, node });
  }
}
