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
  readonly counts: StoreCounts | undefined;
  /** Whether nothing was stored. */
  readonly dryRun: boolean;
}

/** The closing line. */
export function summary({ entries, bytes, counts, dryRun }: Totals): string {
  const start = `${dryRun ? "would import" : "imported"} ${plural(entries, "entry", "entries")}, ${formatBytes(bytes)} read`;
  if (counts === undefined) return start;
  const { newObjects, newBytes, knownObjects } = counts;
  if (newObjects === 0) return `${start}: nothing new`;
  return `${start}: ${plural(newObjects, "new object")}, ${formatBytes(newBytes)} before compression; ${formatCount(knownObjects)} known`;
}

/** What `--json` prints for one path. */
export function jsonResult(
  path: Uint8Array,
  { storePath, pathInfo, node, progress }: ImportResult,
  counts: StoreCounts | undefined,
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
    ...(counts && {
      new: { objects: counts.newObjects, bytes: counts.newBytes },
      known: { objects: counts.knownObjects, bytes: counts.knownBytes },
    }),
  };
}
