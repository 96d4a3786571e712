import { setImmediate as afterOthers } from "node:timers/promises";
import type { CallOptions } from "../blobservice/blob-service.js";
import { equalBytes } from "../bytes.js";
import type { DirectorySizeRule } from "../nodes/directory.js";
import type { DirectoryNode } from "../nodes/node.js";
import { chooseComparer } from "./choose-comparer.js";
import type { StatCache } from "./ingest.js";
import { type RawPath, rawPathBytes } from "./raw-path.js";
import { decodeStatRecord, recordedNode, type StatRecord } from "./stat-record.js";

/** Entries that are looked at before anything else in this thread may run: some milliseconds. */
const ENTRIES_AT_ONCE = 2000;

/** What a scan found. */
export interface ScanResult {
  /** What the tree was when it was imported, and still is. */
  readonly node: DirectoryNode;
  readonly entries: number;
}

interface PendingDirectory {
  readonly path: RawPath;
  readonly digest: Uint8Array;
  /** Its record, where that is part of its parent's. */
  readonly record: Uint8Array | undefined;
}

/**
 * Whether the tree at `path` is as it was when it was last imported, at the cost of a look at each
 * file, directory and link of it; nothing is read.
 *
 * @returns `undefined` as soon as anything differs or is not known
 */
export async function scanUnchanged(
  path: RawPath,
  cache: StatCache,
  sizeRule: DirectorySizeRule,
  { signal }: CallOptions,
): Promise<ScanResult | undefined> {
  signal?.throwIfAborted();
  const root = await load(cache, path, sizeRule);
  if (root === undefined) return undefined;
  using comparer = chooseComparer(root.size);
  let entries = 1;
  let looks = 0;
  const pending: PendingDirectory[] = [{ path, digest: root.digest, record: root.bytes }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const record = await load(cache, next.path, sizeRule, next.record);
    if (record === undefined || !comparer.enter(next.path, record)) return undefined;
    // It may have been imported by itself after that of the whole tree, or in vain: with other content.
    if (!equalBytes(next.digest, record.digest)) return undefined;
    for (const leaf of record.leaves) {
      if (!comparer.isSame(leaf)) return undefined;
      if (++looks >= ENTRIES_AT_ONCE) looks = await pause(signal);
    }
    const prefix = next.path === "/" ? "/" : `${next.path}/`;
    for (const { name, digest, record: own } of record.directories)
      pending.push({ path: prefix + name, digest, record: own });
    entries += record.leaves.length + record.directories.length;
    if (++looks >= ENTRIES_AT_ONCE) looks = await pause(signal);
  }
  return { node: recordedNode(root), entries };
}

/** @returns how many entries have been looked at since */
async function pause(signal: AbortSignal | undefined): Promise<number> {
  await afterOthers();
  signal?.throwIfAborted();
  return 0;
}

async function load(
  cache: StatCache,
  path: RawPath,
  sizeRule: DirectorySizeRule,
  known?: Uint8Array,
): Promise<StatRecord | undefined> {
  const bytes = known ?? (await cache.get(rawPathBytes(path)));
  const record = bytes && decodeStatRecord(bytes);
  return record?.sizeRule === sizeRule ? record : undefined;
}
