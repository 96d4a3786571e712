import { STORE_DIR } from "../store-path/store-path.js";
import type { CacheParts } from "./cache-parts.js";
import { bytesContent, respondWith } from "./content.js";
import { type CacheRequest, type CacheResponse, DONE } from "./exchange.js";
import { CacheRefusal } from "./refusal.js";
import { readBody } from "./request-body.js";
import type { Route } from "./route.js";
import { NO_ENCODER } from "./stream-encoder.js";

/** Longest text that is taken. */
const MAX_BYTES = 4096;

/**
 * What Nix asks first. It keeps the answer, some versions for ever. Where there is none it writes its own,
 * which is taken if it is about the same store directory, and changes nothing.
 */
export const CACHE_INFO_ROUTE: Route = {
  name: "nix-cache-info",
  pattern: /^\/nix-cache-info$/,
  get: getCacheInfo,
  put: putCacheInfo,
};

async function getCacheInfo(parts: CacheParts, request: CacheRequest): Promise<CacheResponse> {
  const { priority, wantMassQuery } = parts.options;
  const text =
    `StoreDir: ${STORE_DIR}\n` +
    `WantMassQuery: ${wantMassQuery ? 1 : 0}\n` +
    `Priority: ${priority}\n`;
  const content = bytesContent(new TextEncoder().encode(text), {
    type: "text/x-nix-cache-info",
    cacheControl: "no-cache",
  });
  return respondWith(request, content, NO_ENCODER);
}

async function putCacheInfo(_: CacheParts, request: CacheRequest): Promise<CacheResponse> {
  const text = new TextDecoder().decode(await readBody(request, MAX_BYTES));
  const storeDir = /^StoreDir: (.*)$/m.exec(text)?.[1];
  if (storeDir === STORE_DIR) return DONE;
  throw new CacheRefusal(400, `this is a cache for the store directory ${STORE_DIR}`);
}
