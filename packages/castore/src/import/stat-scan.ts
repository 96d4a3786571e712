import fs from "node:fs";
import type { CallOptions } from "../blobservice/blob-service.js";
import { CastoreError } from "../errors.js";
import type { DirectorySizeRule } from "../nodes/directory.js";
import type { Node } from "../nodes/node.js";
import { decodeAnonymousNode } from "../wire/node-codec.js";
import type { StatCache } from "./ingest.js";
import { type RawPath, rawPathBytes, toFsPath } from "./raw-path.js";
import { decodeStatRecord, EntryKind, isSameStat, type StatRecord } from "./stat-record.js";

/** What a scan found. */
export interface ScanResult {
  /** What the tree was when it was imported, and still is. */
  readonly node: Node;
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
  options: CallOptions,
): Promise<ScanResult | undefined> {
  let node: Node | undefined;
  let entries = 0;
  for (const pending = [path]; pending.length > 0; ) {
    const current = pending.pop() as RawPath;
    options.signal?.throwIfAborted();
    const record = await load(cache, current, sizeRule);
    if (record === undefined || !matches(current, record, record.statOffset)) return undefined;
    for (const entry of record.entries) {
      const child = current === "/" ? `/${entry.name}` : `${current}/${entry.name}`;
      if (entry.kind === EntryKind.DIRECTORY) pending.push(child);
      else if (!matches(child, record, entry.statOffset)) return undefined;
    }
    entries += 1 + record.entries.length;
    node ??= nodeOf(record);
    if (node === undefined) return undefined;
  }
  return node && { node, entries };
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

function nodeOf(record: StatRecord): Node | undefined {
  try {
    return decodeAnonymousNode(record.node);
  } catch (error) {
    if (CastoreError.is(error)) return undefined;
    throw error;
  }
}
