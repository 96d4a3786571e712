/**
 * Conditional requests (RFC 9110 §13) by entity tags; there are no dates.
 */
import { type CacheRequest, headerOf } from "./exchange.js";

/** Whether the client has what `etag` names already: `If-None-Match`, compared weakly. */
export function isNotModified(request: CacheRequest, etag: string): boolean {
  const value = headerOf(request, "if-none-match");
  if (value === undefined) return false;
  if (value.trim() === "*") return true;
  const wanted = withoutWeakness(etag);
  return tagsIn(value).some((tag) => withoutWeakness(tag) === wanted);
}

/** Whether ranges count: there is no `If-Range`, or it names this very representation. */
export function doesIfRangeHold(request: CacheRequest, etag: string): boolean {
  const value = headerOf(request, "if-range");
  // The comparison is a strong one: a weak tag, and a date, never hold.
  return value === undefined || (value.trim() === etag && !etag.startsWith("W/"));
}

function tagsIn(value: string): readonly string[] {
  return value.match(/(?:W\/)?"[^"]*"/g) ?? [];
}

function withoutWeakness(tag: string): string {
  return tag.startsWith("W/") ? tag.slice(2) : tag;
}
