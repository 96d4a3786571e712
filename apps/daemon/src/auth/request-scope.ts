import { binaryCacheRoute } from "@tvix/store/http";
import { type NeededScope, scopeOfPath } from "./method-scopes.js";

/**
 * What a request takes. At the paths of the binary cache the method decides: reading takes a token that
 * may read. All else is decided by the path alone.
 */
export function scopeOfRequest(method: string, path: string): NeededScope {
  const isReading = method === "GET" || method === "HEAD";
  return isReading && binaryCacheRoute(path) !== undefined ? "read" : scopeOfPath(path);
}
