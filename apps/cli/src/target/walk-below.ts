import {
  type CallOptions,
  type DirectoryEntry,
  type DirectoryService,
  getChild,
  type Node,
  type PathComponent,
} from "@tvix/castore";

/** One object of a tree, and where it is. */
export interface TreeStep {
  readonly name: PathComponent;
  readonly node: Node;
  /** Whether no other name follows in its directory. */
  readonly isLast: boolean;
  /** The directory it is in; `undefined` right below the start. */
  readonly parent: TreeStep | undefined;
  /** 1 right below the start. */
  readonly depth: number;
}

/** How far to go. */
export interface WalkBelowOptions extends CallOptions {
  /** 1 stays among the entries of the start; no limit by default. */
  readonly maxDepth?: number;
}

/** A directory that is being walked through. */
interface Level {
  readonly parent: TreeStep | undefined;
  readonly entries: readonly DirectoryEntry[];
  next: number;
}

/**
 * Everything below `start`, a directory before its entries, these in byte order. Unlike `walkTree()`
 * of castore it can stop at a depth and knows which name is the last of its directory. Keeps as many
 * Directories in memory as the tree is deep.
 *
 * @throws {@link CastoreError} "MISSING_REFERENCE" when a Directory is not stored
 */
export async function* walkBelow(
  directories: Pick<DirectoryService, "get">,
  start: Node,
  options: WalkBelowOptions = {},
): AsyncGenerator<TreeStep, void, undefined> {
  const { maxDepth = Number.POSITIVE_INFINITY } = options;
  if (start.type !== "directory" || maxDepth < 1) return;
  const { entries } = await getChild(directories, start, options);
  const levels: Level[] = [{ parent: undefined, entries, next: 0 }];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const step = nextStep(level, levels.length);
    if (step === undefined) {
      levels.pop();
      continue;
    }
    yield step;
    if (step.node.type === "directory" && step.depth < maxDepth) {
      const directory = await getChild(directories, step.node, options);
      levels.push({ parent: step, entries: directory.entries, next: 0 });
    }
  }
}

/** The names that lead to a step from the start, its own at the end. */
export function namesOf(step: TreeStep): readonly PathComponent[] {
  const names: PathComponent[] = [];
  for (let at: TreeStep | undefined = step; at !== undefined; at = at.parent) names.push(at.name);
  return names.reverse();
}

function nextStep(level: Level, depth: number): TreeStep | undefined {
  const entry = level.entries[level.next];
  if (entry === undefined) return undefined;
  level.next++;
  const isLast = level.next === level.entries.length;
  return { name: entry.name, node: entry.node, isLast, parent: level.parent, depth };
}
