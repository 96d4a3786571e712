import {
  type CallOptions,
  CastoreError,
  type Directory,
  type DirectoryNode,
  type DirectoryService,
  directoryDigest,
  Path,
  type PathComponent,
} from "@tvix/castore";
import { DirectoryLayout } from "./directory-layout.js";
import { NarRenderError } from "./nar-render-error.js";

/** Layouts by the key of the digest. */
export type DirectoryLayouts = ReadonlyMap<string, DirectoryLayout>;

/** A directory whose children are being completed. */
interface OpenLayout {
  readonly layout: DirectoryLayout;
  readonly children: DirectoryLayout[];
}

/**
 * Lays out all Directories under `root`, each once however often it is in the tree.
 *
 * @throws {@link NarRenderError} when one is missing, or when the lengths add up to more than can be
 *   counted
 */
export async function loadLayouts(
  directories: DirectoryService,
  root: DirectoryNode,
  options: CallOptions,
): Promise<DirectoryLayouts> {
  const layouts = new Map<string, DirectoryLayout>();
  const failure = await loadAll(directories, root, { ...options, layouts });
  completeAll(root, layouts, failure);
  // All are there, and yet the service said otherwise.
  if (failure !== undefined) throw failure;
  return layouts;
}

/** @returns what a service throws that lacks a Directory: where it belongs is found out later */
async function loadAll(
  directories: DirectoryService,
  root: DirectoryNode,
  { layouts, ...options }: CallOptions & { readonly layouts: Map<string, DirectoryLayout> },
): Promise<CastoreError | undefined> {
  try {
    for await (const directory of directories.getRecursive(root.digest, options)) {
      add(layouts, directory);
    }
  } catch (error) {
    if (CastoreError.is(error, "MISSING_REFERENCE")) return error;
    throw error;
  }
  return undefined;
}

function add(layouts: Map<string, DirectoryLayout>, directory: Directory): void {
  const digest = directoryDigest(directory);
  if (!layouts.has(digest.key)) layouts.set(digest.key, new DirectoryLayout(digest, directory));
}

/** Completes children before their parents, with a stack of its own. */
function completeAll(
  root: DirectoryNode,
  layouts: DirectoryLayouts,
  cause: CastoreError | undefined,
): void {
  const completed = new Set<DirectoryLayout>();
  const open: OpenLayout[] = [{ layout: find(root, layouts, { open: [], cause }), children: [] }];
  for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
    const next = last.layout.children[last.children.length];
    if (next === undefined) {
      last.layout.complete(last.children);
      if (last.layout.length > Number.MAX_SAFE_INTEGER) {
        throw new NarRenderError("too-large", last.layout.digest, pathTo(open.slice(0, -1)));
      }
      completed.add(last.layout);
      open.pop();
      open.at(-1)?.children.push(last.layout);
      continue;
    }
    const child = find(next.node, layouts, { open, cause });
    if (completed.has(child)) last.children.push(child);
    else open.push({ layout: child, children: [] });
  }
}

function find(
  node: DirectoryNode,
  layouts: DirectoryLayouts,
  {
    open,
    cause,
  }: { readonly open: readonly OpenLayout[]; readonly cause: CastoreError | undefined },
): DirectoryLayout {
  const layout = layouts.get(node.digest.key);
  if (layout !== undefined) return layout;
  const options = cause === undefined ? {} : { cause };
  throw new NarRenderError("missing-directory", node.digest, pathTo(open), undefined, options);
}

/** The path to the child that is next in the last of the open directories. */
function pathTo(open: readonly OpenLayout[]): Path {
  return Path.of(
    ...open.map(({ layout, children }): PathComponent => {
      const { index } = layout.children[children.length] as { readonly index: number };
      const entry = layout.directory().entries[index];
      return (entry as Directory["entries"][number]).name;
    }),
  );
}
