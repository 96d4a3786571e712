import type { ImportResult } from "@tvix/store/fs";
import { jsonBytes } from "../format/names.js";
import { narHashText } from "../format/nar-hash.js";
import { jsonNode } from "../format/nodes.js";
import { formatBytes, formatCount, plural } from "../format/quantities.js";
import type { Counts } from "./destination.js";

/** What a whole command imported. */
export interface Totals {
  /** Files, directories and links. */
  readonly entries: number;
  /** Bytes of content that were read: none of what has not changed since the last time. */
  readonly bytes: number;
  readonly counts: Counts;
}

/** The closing line. */
export function summary({ entries, bytes, counts }: Totals): string {
  const { newObjects, newBytes, writtenBytes, knownObjects } = counts;
  const dryRun = writtenBytes === undefined;
  const start = `${dryRun ? "would import" : "imported"} ${plural(entries, "entry", "entries")}, ${formatBytes(bytes)} read`;
  if (newObjects === 0) return `${start}: nothing new`;
  const effect = dryRun
    ? `${formatBytes(newBytes)} to store before compression`
    : `${formatBytes(writtenBytes)} written`;
  return `${start}: ${plural(newObjects, "new object")}, ${effect}; ${formatCount(knownObjects)} known`;
}

/** What `--json` prints for one path. */
export function jsonResult(
  path: Uint8Array,
  { storePath, pathInfo, node, progress }: ImportResult,
  counts: Counts,
): Record<string, unknown> {
  return {
    ...jsonBytes("path", path),
    storePath: storePath.toString(),
    root: jsonNode(node),
    narHash: narHashText(pathInfo.narSha256),
    narSize: pathInfo.narSize,
    entries: progress.entries,
    filesRead: progress.files,
    bytesRead: progress.bytes,
    new: {
      objects: counts.newObjects,
      bytes: counts.newBytes,
      ...(counts.writtenBytes === undefined ? {} : { writtenBytes: counts.writtenBytes }),
    },
    known: { objects: counts.knownObjects, bytes: counts.knownBytes },
  };
}
