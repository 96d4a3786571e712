import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import type { Directory } from "../nodes/directory.js";
import { onAbort } from "../on-abort.js";

/** Fetches one Directory; `undefined` when it is not stored. `DirectoryService.get` is one. */
export type GetDirectory = (
  digest: B3Digest,
  options: CallOptions,
) => Promise<Directory | undefined>;

export interface WalkClosureOptions extends CallOptions {
  /**
   * How many Directories are fetched ahead of the one that is given out, 16 by default: it hides the
   * latency of a store that is far away. 0 fetches one at a time.
   */
  readonly prefetch?: number;
}

const DEFAULT_PREFETCH = 16;

/**
 * Yields the closure of Directories under `root`: breadth first, each once, the root first, children
 * in the order of their names. Nothing at all when the root is not stored. Memory grows with the
 * number of Directories (a digest each), not with their content or with depth.
 *
 * @throws {@link CastoreError} "MISSING_REFERENCE" when one below the root is not stored
 */
export async function* walkClosure(
  get: GetDirectory,
  root: B3Digest,
  options: WalkClosureOptions = {},
): AsyncGenerator<Directory, void, undefined> {
  const { signal, prefetch = DEFAULT_PREFETCH } = options;
  signal?.throwIfAborted();
  const seen = new Set([root.key]);
  const queue = [root];
  const fetches: Fetch[] = [];
  const stopListening = signal && onAbort(signal, () => cancelAll(fetches, signal.reason));
  try {
    for (let next = 0; next < queue.length; next++) {
      for (const digest of queue.slice(next + fetches.length, next + 1 + prefetch)) {
        fetches.push(start(get, digest));
      }
      const directory = await fetches[0]?.directory;
      fetches.shift();
      signal?.throwIfAborted();
      if (directory === undefined) {
        if (next === 0) return;
        throw missing(queue[next], root);
      }
      for (const { node } of directory.entries) {
        if (node.type !== "directory" || seen.has(node.digest.key)) continue;
        seen.add(node.digest.key);
        queue.push(node.digest);
      }
      yield directory;
    }
  } finally {
    stopListening?.();
    cancelAll(fetches);
  }
}

/** A call that runs. Each has a signal of its own: Node warns of many listeners at one. */
interface Fetch {
  readonly directory: Promise<Directory | undefined>;
  readonly cancel: AbortController;
}

function start(get: GetDirectory, digest: B3Digest): Fetch {
  const cancel = new AbortController();
  const directory = get(digest, { signal: cancel.signal });
  // Perhaps nobody will ever wait for it: then a failure must not count as unhandled.
  directory.catch(() => {});
  return { directory, cancel };
}

function cancelAll(fetches: readonly Fetch[], reason?: unknown): void {
  for (const { cancel } of fetches) cancel.abort(reason);
}

function missing(digest: B3Digest | undefined, root: B3Digest): CastoreError {
  return new CastoreError(
    "MISSING_REFERENCE",
    `Cannot walk directory ${root}: ${digest} below it is not stored`,
  );
}
