import {
  type CallOptions,
  type Directory,
  type DirectoryNode,
  type DirectoryService,
  type FileNode,
  type Node,
  Path,
  type PathComponent,
  type SymlinkNode,
} from "@tvix/castore";
import { NarRenderError } from "./nar-render-error.js";

/** Where a node is: its name and the place of the directory it is in; `undefined` for the root. */
export interface Place {
  readonly name: PathComponent;
  readonly parent: Place | undefined;
}

/** A part of the content of a file, in bytes. */
export interface ContentRange {
  readonly start: number;
  readonly end: number;
}

/** A file on the way. */
export interface FileStep {
  readonly type: "file";
  readonly place: Place | undefined;
  readonly node: FileNode;
  /** The part of its content that is wanted, where that is not all of it. */
  readonly range?: ContentRange;
}

/** One step of a walk through a tree; what a NAR says at that point. */
export type NarStep =
  | { readonly type: "directory"; readonly place: Place | undefined }
  | { readonly type: "end" }
  | FileStep
  | { readonly type: "symlink"; readonly place: Place | undefined; readonly node: SymlinkNode };

/** A way through a tree, in the order of a NAR. */
export interface NarStepSource {
  /** Whether there are no more steps. */
  readonly atEnd: boolean;
  /** The next step; `undefined` when it takes time: see {@link open}. */
  next(): NarStep | undefined;
  /** The next step, when {@link next} could not tell. */
  open(): Promise<NarStep>;
}

interface OpenDirectory {
  readonly place: Place | undefined;
  readonly directory: Directory;
  /** Index of the next entry. */
  next: number;
}

/** The path that leads to `place` from the root. */
export function pathOf(place: Place | undefined): Path {
  const components: PathComponent[] = [];
  for (let at = place; at !== undefined; at = at.parent) components.push(at.name);
  return Path.of(...components.reverse());
}

/**
 * Goes through the tree in the order of a NAR: depth first, names in byte order, with the end of each
 * directory. Uses a stack of its own, so that no depth is too deep; holds the Directories on the way
 * down to where it is, and joins names to a path only when there is an error to report.
 */
export class NarWalk implements NarStepSource {
  readonly #directories: DirectoryService;
  readonly #options: CallOptions;
  readonly #open: OpenDirectory[] = [];
  /** What comes next unless a directory ends. */
  #node: Node | undefined;
  #place: Place | undefined;

  constructor(directories: DirectoryService, root: Node, options: CallOptions) {
    this.#directories = directories;
    this.#options = options;
    this.#node = root;
  }

  get atEnd(): boolean {
    return this.#node === undefined && this.#open.length === 0;
  }

  /** `undefined` for a directory. */
  next(): NarStep | undefined {
    const [node, place] = [this.#node, this.#place];
    if (node === undefined) {
      this.#open.pop();
      this.#advance();
      return { type: "end" };
    }
    if (node.type === "directory") return undefined;
    this.#advance();
    return node.type === "file" ? { type: "file", place, node } : { type: "symlink", place, node };
  }

  /** @throws {@link NarRenderError} when the Directory is missing */
  async open(): Promise<NarStep> {
    const place = this.#place;
    this.#options.signal?.throwIfAborted();
    const node = this.#node as DirectoryNode;
    const directory = await load(this.#directories, node, place, this.#options);
    this.#open.push({ place, directory, next: 0 });
    this.#advance();
    return { type: "directory", place };
  }

  #advance(): void {
    const last = this.#open.at(-1);
    const entry = last?.directory.entries[last.next++];
    this.#node = entry?.node;
    this.#place = entry && { name: entry.name, parent: last?.place };
  }
}

async function load(
  directories: DirectoryService,
  node: DirectoryNode,
  place: Place | undefined,
  options: CallOptions,
): Promise<Directory> {
  const directory = await directories.get(node.digest, options);
  if (directory === undefined) {
    throw new NarRenderError("missing-directory", node.digest, pathOf(place));
  }
  return directory;
}
