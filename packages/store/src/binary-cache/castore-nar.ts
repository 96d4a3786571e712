import { MAX_NAR_SIZE } from "../path-info.js";
import type { CacheParts } from "./cache-parts.js";
import { decodeNodeText } from "./castore-nar-url.js";
import type { CacheRequest, CacheResponse } from "./exchange.js";
import { respondWithNar } from "./nar-content.js";
import { CacheRefusal } from "./refusal.js";
import type { Route } from "./route.js";

/** NARs by the root of their tree: what the narinfos that we write lead to. */
export const CASTORE_NAR_ROUTE: Route = {
  name: "castore-nar",
  pattern: /^\/nar\/(?:tvix|snix)-castore\/([A-Za-z0-9_-]{1,5900})$/,
  get: getCastoreNar,
};

async function getCastoreNar(
  parts: CacheParts,
  request: CacheRequest,
  [, text = ""]: RegExpExecArray,
): Promise<CacheResponse> {
  const root = decodeNodeText(text);
  if (root === undefined) throw new CacheRefusal(404, "the path names no castore node");
  const sizes = new URLSearchParams(request.query).getAll("narsize");
  const [size = ""] = sizes;
  if (sizes.length !== 1 || !/^\d{1,19}$/.test(size) || BigInt(size) > MAX_NAR_SIZE) {
    throw new CacheRefusal(400, "the query must be narsize=N, the size of the NAR in bytes");
  }
  return respondWithNar(parts, request, { root, narSize: BigInt(size) });
}
