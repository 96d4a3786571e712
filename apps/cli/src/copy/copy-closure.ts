import { Semaphore } from "@tvix/castore";
import type { PathFacts, Transfer } from "./transfer.js";

/** What became of one path. */
export interface CopiedPath {
  readonly facts: PathFacts;
  /** 0 when it was there. */
  readonly bytesMoved: number;
}

export interface CopyClosureOptions {
  /** Paths whose content is copied at a time. */
  readonly jobs: number;
  readonly signal: AbortSignal;
  /** Is told each path that has been published, or was there. */
  readonly onPath: (copied: CopiedPath) => Promise<void>;
}

/**
 * Copies paths, several at a time. Each is published after all that it refers to: what is there when
 * something fails is complete, and need not be copied again.
 *
 * @param paths - each after all that it refers to
 * @throws what failed first; nothing else is begun then
 */
export async function copyClosure(
  paths: readonly PathFacts[],
  transfer: Transfer,
  options: CopyClosureOptions,
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const jobs = new Semaphore(options.jobs);
  const published = new Map<string, Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  // One at a time, in the order in which they are published.
  let told: Promise<void> = Promise.resolve();
  const tell = (copied: CopiedPath): Promise<void> => {
    told = told.then(() => options.onPath(copied));
    return told;
  };
  const copy = async (facts: PathFacts): Promise<void> => {
    if (facts.isPresent) return await tell({ facts, bytesMoved: 0 });
    const moved = await jobs.run(() => transfer.move(facts, { signal }), signal);
    const others = facts.references.filter((reference) => !reference.equals(facts.storePath));
    await Promise.all(others.map(({ baseName }) => published.get(baseName)));
    signal.throwIfAborted();
    await moved.publish();
    await tell({ facts, bytesMoved: moved.bytesMoved });
  };
  for (const facts of paths) {
    const done = copy(facts);
    done.catch((error: unknown) => {
      failure ??= { error };
      failed.abort(failure.error);
    });
    published.set(facts.storePath.baseName, done);
  }
  await Promise.allSettled(published.values());
  options.signal.throwIfAborted();
  if (failure !== undefined) throw failure.error;
}
