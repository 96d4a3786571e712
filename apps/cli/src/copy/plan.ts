import type { CallOptions } from "@tvix/castore";
import { STORE_DIR, type StorePath } from "@tvix/store";
import { CliError, EXIT, NotFoundError } from "../exit.js";
import type { PathFacts, Transfer } from "./transfer.js";

/** A path as it was typed. */
export interface WantedPath {
  readonly outputHash: Uint8Array;
  /** `undefined` where only the hash was typed. */
  readonly name: string | undefined;
  readonly text: string;
}

/** Paths that are asked about at a time: it hides the way to a store that is far away. */
const LOOK_UPS = 128;

export interface PlanOptions extends CallOptions {
  /** Whether what the wanted paths refer to is left aside. */
  readonly isWithoutClosure?: boolean;
  readonly onFound?: (count: number) => void;
}

/**
 * Finds everything that the wanted paths refer to, directly or not. Also behind paths that are there
 * already: whoever has a path has not always what it refers to.
 *
 * @returns each path once, after all that it refers to
 * @throws {@link NotFoundError} when something is on neither side
 */
export async function planClosure(
  wanted: readonly WantedPath[],
  transfer: Transfer,
  options: PlanOptions,
): Promise<readonly PathFacts[]> {
  const found = new Map<string, PathFacts>();
  const roots = await mapBounded(wanted, (path) => findWanted(path, transfer, options));
  let level = roots.filter((facts) => isNew(found, facts));
  if (options.isWithoutClosure === true) return referencesFirst(found);
  while (level.length > 0) {
    options.onFound?.(found.size);
    const asked = new Map<string, readonly [path: StorePath, from: StorePath]>();
    for (const { storePath, references } of level) {
      for (const reference of references) {
        if (!found.has(reference.baseName)) asked.set(reference.baseName, [reference, storePath]);
      }
    }
    const next = await mapBounded([...asked.values()], ([path, from]) =>
      findReference(path, from, transfer, options),
    );
    level = next.filter((facts) => isNew(found, facts));
  }
  return referencesFirst(found);
}

function isNew(found: Map<string, PathFacts>, facts: PathFacts): boolean {
  const { baseName } = facts.storePath;
  if (found.has(baseName)) return false;
  found.set(baseName, facts);
  return true;
}

async function findWanted(
  { outputHash, name, text }: WantedPath,
  transfer: Transfer,
  options: CallOptions,
): Promise<PathFacts> {
  const facts = await transfer.lookUp(outputHash, options);
  if (facts === undefined) {
    throw new NotFoundError(`${STORE_DIR}/${text} is not in ${transfer.source}`);
  }
  const { storePath } = facts;
  if (name === undefined || name === storePath.name) return facts;
  throw new NotFoundError(`${STORE_DIR}/${text} is not there: that hash belongs to ${storePath}`);
}

async function findReference(
  path: StorePath,
  from: StorePath,
  transfer: Transfer,
  options: CallOptions,
): Promise<PathFacts> {
  const facts = await transfer.lookUp(path.digestBytes(), options);
  if (facts?.storePath.equals(path) === true) return facts;
  throw new NotFoundError(`${path}, which ${from} refers to, is not in ${transfer.source}`);
}

/** @throws {@link CliError} when paths refer to each other in a circle, which no path of Nix does */
function referencesFirst(found: ReadonlyMap<string, PathFacts>): readonly PathFacts[] {
  const ordered: PathFacts[] = [];
  const state = new Map<string, "open" | "done">();
  for (const root of found.values()) {
    const stack = [{ facts: root, next: 0 }];
    if (state.has(root.storePath.baseName)) continue;
    state.set(root.storePath.baseName, "open");
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const { storePath, references } = top.facts;
      const reference = references[top.next++];
      if (reference === undefined) {
        stack.pop();
        state.set(storePath.baseName, "done");
        ordered.push(top.facts);
        continue;
      }
      if (reference.equals(storePath) || state.get(reference.baseName) === "done") continue;
      if (state.get(reference.baseName) === "open") {
        throw new CliError(EXIT.corrupt, `${storePath} and ${reference} refer to each other`);
      }
      const facts = found.get(reference.baseName);
      // Of a plan without closure.
      if (facts === undefined) continue;
      state.set(reference.baseName, "open");
      stack.push({ facts, next: 0 });
    }
  }
  return ordered;
}

/** Applies `work` to all, some at a time; the results in the order of the items. */
async function mapBounded<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index] as T);
    }
  };
  await Promise.all(Array.from({ length: Math.min(LOOK_UPS, items.length) }, worker));
  return results;
}
