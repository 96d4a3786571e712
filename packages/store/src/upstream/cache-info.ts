import { escapeBytes, toUtf8 } from "@tvix/castore";
import { STORE_DIR } from "../store-path/store-path.js";
import { showUrl } from "./cache-address.js";
import type { CacheClient } from "./cache-client.js";
import { UpstreamError } from "./upstream-error.js";

/** What `nix-cache-info` says, as far as we understand it. */
export interface NixCacheInfo {
  /** Which of several caches to ask first, the lower one; 50 where it is not stated, as in Nix. */
  readonly priority: number;
  /** Whether the cache likes to be asked about many paths that it may not have. */
  readonly wantMassQuery: boolean;
}

const MAX_CACHE_INFO_BYTES = 64 * 1024;
const DEFAULT_PRIORITY = 50;

/**
 * Asks a cache what it is.
 *
 * @throws {@link UpstreamError} with reason "not-a-cache" when it does not say, "store-dir" when its paths
 *   lie elsewhere than ours
 */
export async function fetchCacheInfo(
  client: CacheClient,
  signal?: AbortSignal,
): Promise<NixCacheInfo> {
  const url = new URL("nix-cache-info", client.url);
  const bytes = await client.small(url, MAX_CACHE_INFO_BYTES, signal);
  if (bytes === undefined) {
    const what = `${showUrl(client.url)} is not a binary cache: it has no nix-cache-info`;
    throw new UpstreamError("not-a-cache", what);
  }
  return parseCacheInfo(new TextDecoder().decode(bytes), client.url);
}

function parseCacheInfo(text: string, url: URL): NixCacheInfo {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, key, value] = /^([^:\s]+): ?(.*?)\r?$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) fields.set(key, value);
  }
  const storeDir = fields.get("StoreDir");
  if (storeDir === undefined) {
    const what = `${showUrl(url)} is not a binary cache: its nix-cache-info has no StoreDir`;
    throw new UpstreamError("not-a-cache", what);
  }
  if (storeDir.replace(/\/+$/, "") !== STORE_DIR) {
    const where = escapeBytes(toUtf8(storeDir.slice(0, 200)));
    const what = `Cannot use ${showUrl(url)}: its paths lie in "${where}", not in ${STORE_DIR}`;
    throw new UpstreamError("store-dir", what);
  }
  const priority = fields.get("Priority") ?? "";
  return {
    priority: /^\d{1,9}$/.test(priority) ? Number(priority) : DEFAULT_PRIORITY,
    wantMassQuery: fields.get("WantMassQuery") === "1",
  };
}
