import type { ImportResult } from "@tvix/store/fs";
import { jsonBytes } from "../format/names.js";
import { narHashText } from "../format/nar-hash.js";
import { jsonNode } from "../format/nodes.js";
import { formatBytes, formatCount, plural } from "../format/quantities.js";
import type { StoreCounts } from "../store/open-store.js";

/** What a whole command imported. */
export interface Totals {
  /** Files, directories and links. */
  readonly entries: number;
  /** Bytes of content that were read: none of what has not changed since the last time. */
  readonly bytes: number;
  readonly counts: StoreCounts;
  /** Whether nothing was stored. */
  readonly dryRun: boolean;
}

/** The closing line. */
export function summary({ entries, bytes, counts, dryRun }: Totals): string {
  const { newObjects, newBytes, knownObjects } = counts;
  const start = `${dryRun ? "would import" : "imported"} ${plural(entries, "entry", "entries")}, ${formatBytes(bytes)} read`;
  if (newObjects === 0) return `${start}: nothing new`;
  return `${start}: ${plural(newObjects, "new object")}, ${formatBytes(newBytes)} before compression; ${formatCount(knownObjects)} known`;
}

/** What `--json` prints for one path. */
export function jsonResult(
  path: Uint8Array,
  { storePath, pathInfo, node, progress }: ImportResult,
  counts: StoreCounts,
): Record<string, unknown> {
  return {
    ...jsonBytes("path", path),
    storePath: storePath.toString(),
    root: jsonNode(node),
    narHash: narHashText(pathInfo.narSha256),
    narSize: pathInfo.narSize,
    references: pathInfo.references.map(String),
    entries: progress.entries,
    filesRead: progress.files,
    bytesRead: progress.bytes,
    new: { objects: counts.newObjects, bytes: counts.newBytes },
    known: { objects: counts.knownObjects, bytes: counts.knownBytes },
  };
}
