import { lstat, readdir } from "node:fs/promises";

/** How much a tree holds. */
export interface TreeSize {
  /** Files, directories and links. */
  readonly entries: number;
  /** Bytes of content. */
  readonly bytes: number;
}

/** Sizes are asked of so many files; the mean of these does for the others. */
const SAMPLED_FILES = 2000;

/**
 * Counts what is at `paths`, for an estimate of the time that importing takes. Cheap next to the
 * import itself: directories are listed, but only the first files are asked for their size.
 *
 * What cannot be read counts as nothing: the import will complain about it.
 */
export async function treeSize(
  paths: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<TreeSize> {
  const count = { entries: 0, files: 0, sampled: 0, sampledBytes: 0 };
  const pending: Buffer[] = [];
  for (const path of paths) {
    const stats = await lstat(Buffer.from(path)).catch(() => undefined);
    count.entries++;
    if (stats?.isDirectory() === true) pending.push(Buffer.from(path));
    else if (stats?.isFile() === true) sample(count, stats.size);
  }
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    signal.throwIfAborted();
    const entries = await readdir(path, { withFileTypes: true, encoding: "buffer" }).catch(
      () => [],
    );
    for (const entry of entries) {
      const inside = Buffer.concat([path, SLASH, entry.name]);
      count.entries++;
      if (entry.isDirectory()) pending.push(inside);
      else if (entry.isFile() && count.sampled < SAMPLED_FILES) {
        sample(count, (await lstat(inside).catch(() => undefined))?.size ?? 0);
      } else if (entry.isFile()) count.files++;
    }
  }
  const mean = count.sampled === 0 ? 0 : count.sampledBytes / count.sampled;
  return { entries: count.entries, bytes: Math.round(mean * count.files) };
}

const SLASH = Buffer.from("/");

function sample(
  count: { files: number; sampled: number; sampledBytes: number },
  size: number,
): void {
  count.files++;
  count.sampled++;
  count.sampledBytes += size;
}
