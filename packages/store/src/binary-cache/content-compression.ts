import type { Compression } from "../compression/compression.js";
import { type CacheRequest, headerOf } from "./exchange.js";
import { CacheRefusal } from "./refusal.js";

/** Newer Nix compresses narinfos, listings and logs so where it is told to. */
const CODINGS: ReadonlyMap<string, Compression> = new Map([
  ["identity", "none"],
  ["gzip", "gzip"],
  ["br", "br"],
  ["zstd", "zstd"],
  ["xz", "xz"],
  ["bzip2", "bzip2"],
]);

/**
 * How the body of a request is compressed, by its `Content-Encoding`.
 *
 * @throws {@link CacheRefusal} with 415 for what is not read here
 */
export function contentCompression(request: CacheRequest): Compression {
  const value = headerOf(request, "content-encoding")?.trim().toLowerCase() ?? "identity";
  const compression = CODINGS.get(value);
  if (compression !== undefined) return compression;
  throw new CacheRefusal(415, "this content-encoding is not read here");
}
