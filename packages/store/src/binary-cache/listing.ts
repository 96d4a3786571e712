import { toUtf8 } from "@tvix/castore";
import { formatNarListing, MAX_NAR_LISTING_LENGTH } from "../nar/nar-listing.js";
import { NarListingError } from "../nar/nar-listing-error.js";
import { decodeNixBase32 } from "../nixbase32.js";
import type { CacheParts } from "./cache-parts.js";
import { bytesContent, respondWith } from "./content.js";
import { type CacheRequest, type CacheResponse, DONE } from "./exchange.js";
import { layoutOf } from "./nar-content.js";
import { CacheRefusal } from "./refusal.js";
import { RequestBody } from "./request-body.js";
import { BASE32, type Route } from "./route.js";
import { STREAM_ENCODER } from "./stream-encoder.js";

/**
 * What is in the NAR of a store path, and where. Made of the tree each time: what clients upload, before the
 * path itself is known, is taken and not kept.
 */
export const LISTING_ROUTE: Route = {
  name: "listing",
  pattern: new RegExp(`^/(${BASE32}{32})\\.ls$`),
  get: getListing,
  put: putListing,
};

async function getListing(
  parts: CacheParts,
  request: CacheRequest,
  [, hash = ""]: RegExpExecArray,
): Promise<CacheResponse> {
  const { signal } = request;
  const pathInfo = await parts.pathInfos.get(decodeNixBase32(hash), { signal });
  if (pathInfo === undefined) throw new CacheRefusal(404, `there is no store path ${hash}`);
  const layout = await layoutOf(parts, pathInfo.node, signal);
  const content = bytesContent(listingOf(layout), {
    type: "application/json",
    cacheControl: "no-cache",
  });
  return respondWith(request, content, STREAM_ENCODER);
}

function listingOf(layout: Parameters<typeof formatNarListing>[0]): Uint8Array {
  try {
    return toUtf8(formatNarListing(layout));
  } catch (cause) {
    if (!(cause instanceof NarListingError)) throw cause;
    throw new CacheRefusal(404, cause.message, {}, { cause });
  }
}

async function putListing(_: CacheParts, request: CacheRequest): Promise<CacheResponse> {
  const body = new RequestBody(request, BigInt(MAX_NAR_LISTING_LENGTH));
  for await (const _chunk of body.stream()) {
    if (body.received > MAX_NAR_LISTING_LENGTH) {
      throw new CacheRefusal(413, `a listing has at most ${MAX_NAR_LISTING_LENGTH} bytes`);
    }
  }
  return DONE;
}
