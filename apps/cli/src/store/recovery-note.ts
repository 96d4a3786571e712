import type { RecoveryReport } from "@tvix/castore/local";
import { formatBytes, plural } from "../format/quantities.js";

/**
 * What opening a store had to put in order, for people; `undefined` when that was nothing worth
 * telling.
 */
export function recoveryNote(report: RecoveryReport | undefined): string | undefined {
  if (report === undefined) return undefined;
  const parts: string[] = [];
  if (report.indexRebuilt) parts.push("its index was damaged and has been rebuilt from the packs");
  const indexed = report.events.reduce((sum, event) => sum + event.records, 0);
  if (indexed > 0 && !report.indexRebuilt) parts.push(`${plural(indexed, "object")} recovered`);
  const cut = report.events.filter(({ type }) => type === "tail-cut");
  if (cut.length > 0) {
    const bytes = cut.reduce((sum, event) => sum + event.bytes, 0);
    parts.push(`${formatBytes(bytes)} of an interrupted write removed`);
  }
  if (report.events.some(({ type }) => type === "damaged" || type === "pack-short")) {
    parts.push("it is damaged, see tvix check");
  }
  return parts.length === 0 ? undefined : `the store was put in order: ${parts.join("; ")}`;
}
