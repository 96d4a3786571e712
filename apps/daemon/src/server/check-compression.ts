import { canCompress } from "@tvix/store/http";
import { ConfigError } from "../config/config-error.js";
import type { CacheCompression } from "../config/settings.js";

/**
 * Refuses what this machine cannot do before anything is opened.
 *
 * @throws {@link ConfigError}
 */
export function checkCompression(compression: CacheCompression): void {
  if (compression === "none" || canCompress(compression)) return;
  const problem = `cache.compression: ${compression} cannot be written here: an optional package for it is not installed`;
  throw new ConfigError([problem]);
}
