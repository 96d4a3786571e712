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

/** One step of a walk through a tree; what a NAR says at that point. */
export type NarStep =
  | { readonly type: "directory"; readonly place: Place | undefined }
  | { readonly type: "end" }
  | { readonly type: "file"; readonly place: Place | undefined; readonly node: FileNode }
  | { readonly type: "symlink"; readonly place: Place | undefined; readonly node: SymlinkNode };

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
 *
 * @throws {@link NarRenderError} when a Directory is missing
 */
export async function* narSteps(
  directories: DirectoryService,
  root: Node,
  options: CallOptions = {},
): AsyncGenerator<NarStep, void, undefined> {
  const open: OpenDirectory[] = [];
  let node = root;
  let place: Place | undefined;
  for (;;) {
    options.signal?.throwIfAborted();
    if (node.type === "directory") {
      const directory = await load(directories, node, place, options);
      open.push({ place, directory, next: 0 });
      yield { type: "directory", place };
    } else if (node.type === "file") {
      yield { type: "file", place, node };
    } else {
      yield { type: "symlink", place, node };
    }
    let last = open.at(-1);
    while (last !== undefined && last.next === last.directory.entries.length) {
      yield { type: "end" };
      open.pop();
      last = open.at(-1);
    }
    const entry = last?.directory.entries[last.next++];
    if (entry === undefined) return;
    place = { name: entry.name, parent: last?.place };
    node = entry.node;
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
