import fs from "node:fs";
import { setImmediate as afterOthers } from "node:timers/promises";
import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectorySizeRule } from "../nodes/directory.js";
import type { DirectoryNode } from "../nodes/node.js";
import type { StatCache } from "./ingest.js";
import { type RawPath, rawPathBytes, toFsPath } from "./raw-path.js";
import { decodeStatRecord, isSameStat, type StatRecord } from "./stat-record.js";

/** Entries that are looked at before anything else in this thread may run: some milliseconds. */
const ENTRIES_AT_ONCE = 2000;

/** What a scan found. */
export interface ScanResult {
  /** What the tree was when it was imported, and still is. */
  readonly node: DirectoryNode;
  readonly entries: number;
}

/**
 * Whether the tree at `path` is as it was when it was last imported, at the cost of an `lstat` for
 * each file, directory and link of it; nothing is opened or read.
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
  let node: DirectoryNode | undefined;
  let entries = 1;
  let looks = 0;
  const pending: { readonly path: RawPath; readonly digest?: B3Digest }[] = [{ path }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const record = await load(cache, next.path, sizeRule);
    if (record === undefined || !matches(next.path, record, record.statOffset)) return undefined;
    // It may have been imported by itself after that of the whole tree, or in vain: with other content.
    if (next.digest !== undefined && !next.digest.equals(record.node.digest)) return undefined;
    const prefix = next.path === "/" ? "/" : `${next.path}/`;
    for (const { name, statOffset } of record.leaves) {
      if (!matches(prefix + name, record, statOffset)) return undefined;
      if (++looks >= ENTRIES_AT_ONCE) looks = await pause(signal);
    }
    for (const { name, digest } of record.directories)
      pending.push({ path: prefix + name, digest });
    entries += record.leaves.length + record.directories.length;
    if (++looks >= ENTRIES_AT_ONCE) looks = await pause(signal);
    node ??= record.node;
  }
  return node && { node, entries };
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
): Promise<StatRecord | undefined> {
  const bytes = await cache.get(rawPathBytes(path));
  const record = bytes && decodeStatRecord(bytes);
  return record?.sizeRule === sizeRule ? record : undefined;
}

function matches(path: RawPath, record: StatRecord, offset: number): boolean {
  let stat: fs.BigIntStats | undefined;
  try {
    stat = fs.lstatSync(toFsPath(path), { bigint: true, throwIfNoEntry: false });
  } catch {
    // Whatever is the matter, reading the tree will tell.
    return false;
  }
  return stat !== undefined && isSameStat(stat, record.view, offset);
}
