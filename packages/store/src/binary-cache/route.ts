import type { CacheParts } from "./cache-parts.js";
import type { CacheRequest, CacheResponse } from "./exchange.js";

/** Handles one method of a route. `match` is that of the pattern. */
type RouteHandler = (
  parts: CacheParts,
  request: CacheRequest,
  match: RegExpExecArray,
) => Promise<CacheResponse>;

/**
 * What is at some of the paths of a cache. A pattern matches the whole raw path and lets nothing through that
 * the handler would have to look at again: no percent signs, no steps such as `..`. What is served to browsers
 * is the exception.
 *
 * Handlers of GET serve HEAD too: the body of their response is not sent then.
 */
export interface Route {
  /** For metrics: says nothing about the client or the path. */
  readonly name: string;
  readonly pattern: RegExp;
  readonly get?: RouteHandler;
  readonly put?: RouteHandler;
}

/** In patterns: a character of nixbase32. */
export const BASE32 = "[0-9abcdfghijklmnpqrsvwxyz]";
