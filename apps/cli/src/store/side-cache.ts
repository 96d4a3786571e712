import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { CastoreError } from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import type { DataDirSources } from "../data-dir.js";

/**
 * Opens what this side remembers of a store that is elsewhere: of the trees that were imported, of NARs. Begins it
 * anew where another version of tvix has left one that this one cannot read.
 *
 * @param place - each has a cache of its own
 */
export async function openSideCache(place: string, sources: DataDirSources): Promise<LocalStore> {
  const directory = cacheDirectory(place, sources);
  const options = { purpose: "a cache of tvix import" };
  try {
    return await LocalStore.open(directory, options);
  } catch (error) {
    if (!CastoreError.is(error) || error.code !== "UNSUPPORTED") throw error;
    await rm(directory, { recursive: true, force: true });
    return await LocalStore.open(directory, options);
  }
}

/** Below `$XDG_CACHE_HOME/tvix`, else `/var/cache/tvix` for root and `~/.cache/tvix` for everyone else. */
function cacheDirectory(place: string, { env, homeDirectory, isRoot }: DataDirSources): string {
  const xdg = env["XDG_CACHE_HOME"];
  const user = isRoot ? "/var/cache" : join(homeDirectory, ".cache");
  const name = createHash("sha256").update(place).digest("hex").slice(0, 32);
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : user, "tvix", name);
}
