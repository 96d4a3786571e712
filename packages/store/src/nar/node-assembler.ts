import {
  type B3Digest,
  Directory,
  type DirectoryEntry,
  type DirectorySizeRule,
  directoryDigest,
  directoryNode,
  fileNode,
  type Node,
  type PathComponent,
  symlinkNode,
} from "@tvix/castore";
import type { NarContent, NarEvent, NarFileEnd } from "./nar-event.js";

/** What a NAR says, without content: what a tree is made of. */
export type TreeStep = Exclude<NarEvent, NarContent | NarFileEnd>;

interface OpenDirectory {
  readonly name: PathComponent | undefined;
  readonly entries: DirectoryEntry[];
}

/** Makes Directories of the steps of a tree, children before parents. Holds those that are open. */
export class NodeAssembler {
  readonly #sizeRule: DirectorySizeRule;
  readonly #open: OpenDirectory[] = [];
  #root: Node | undefined;

  constructor(sizeRule: DirectorySizeRule) {
    this.#sizeRule = sizeRule;
  }

  /** The node of the whole tree, once all its steps are through. */
  get root(): Node {
    if (this.#root === undefined)
      throw new TypeError("Cannot tell the root of a tree before its end");
    return this.#root;
  }

  /**
   * Takes the next steps.
   *
   * @param digests - of the files among them, in their order
   * @returns the Directories that are complete by that
   */
  take(steps: readonly TreeStep[], digests: readonly B3Digest[]): Directory[] {
    const completed: Directory[] = [];
    let files = 0;
    for (const step of steps) {
      switch (step.type) {
        case "directory":
          this.#open.push({ name: step.name, entries: [] });
          break;
        case "directory-end":
          completed.push(this.#close());
          break;
        case "file":
          this.#place(
            step.name,
            fileNode(digests[files++] as B3Digest, step.size, step.executable),
          );
          break;
        case "symlink":
          this.#place(step.name, symlinkNode(step.target));
          break;
      }
    }
    return completed;
  }

  #close(): Directory {
    const { name, entries } = this.#open.pop() as OpenDirectory;
    const directory = Directory.fromSortedEntries(entries);
    this.#place(name, directoryNode(directoryDigest(directory), directory.size(this.#sizeRule)));
    return directory;
  }

  #place(name: PathComponent | undefined, node: Node): void {
    if (name === undefined) this.#root = node;
    else this.#open.at(-1)?.entries.push({ name, node });
  }
}
