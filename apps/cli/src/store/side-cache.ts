import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CastoreError } from "@tvix/castore";
import { type DerivedCache, LocalStore } from "@tvix/castore/local";
import type { DataDirSources } from "../data-dir.js";

/** How long the end of a command waits for another process that writes, in milliseconds: most are about to end, too. */
const FAREWELL_MS = 200;

/** Bytes that may wait for another process that writes, about; what comes on top of them is not remembered. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/**
 * What this side remembers of a store that is elsewhere: of the trees that were imported, of NARs. It is there to
 * save time. So nobody waits while another process writes to it, which may go on for hours; what is
 * to be remembered meanwhile may be forgotten.
 */
export class SideCache {
  readonly #local: LocalStore;
  /** Fulfils when another process turns out to be writing. */
  readonly #busy: Promise<void>;
  readonly #underWay = new Set<Promise<void>>();
  #bytes = 0;

  private constructor(local: LocalStore, busy: Promise<void>) {
    this.#local = local;
    this.#busy = busy;
  }

  /** @throws {@link CastoreError} "UNSUPPORTED" for what another version of tvix has left */
  static async open(directory: string): Promise<SideCache> {
    let onWait = (): void => {};
    const busy = new Promise<void>((resolve) => {
      onWait = resolve;
    });
    const local = await LocalStore.open(directory, { purpose: "a cache of tvix import", onWait });
    return new SideCache(local, busy);
  }

  /** Values of one `space`. They are there when their promise fulfils, unless another process writes. */
  derived(space: string): DerivedCache {
    const inner = this.#local.derived(space);
    const putMany: DerivedCache["putMany"] = (entries) => {
      const bytes = entries.reduce((sum, { value }) => sum + value.byteLength, 0);
      return this.#write(bytes, () => inner.putMany(entries));
    };
    return {
      get: (key) => inner.get(key),
      put: (key, value) => putMany([{ key, value }]),
      putMany,
    };
  }

  async close(): Promise<void> {
    const farewell = new AbortController();
    const tooLong = delay(FAREWELL_MS, undefined, { signal: farewell.signal }).catch(() => {});
    await Promise.race([Promise.allSettled(this.#underWay), tooLong]);
    farewell.abort();
    await this.#local.close();
  }

  async #write(bytes: number, write: () => Promise<void>): Promise<void> {
    if (this.#bytes > MAX_WAITING_BYTES) return;
    this.#bytes += bytes;
    const written = write();
    this.#underWay.add(written);
    const end = (): void => {
      this.#bytes -= bytes;
      this.#underWay.delete(written);
    };
    // Whoever did not wait for it does not hear that it failed.
    written.then(end, end);
    await Promise.race([written, this.#busy]);
  }
}

/**
 * Opens what this side remembers of a store that is elsewhere. Begins it anew where another version of tvix has
 * left one that this one cannot read.
 *
 * @param place - each has a cache of its own
 */
export async function openSideCache(place: string, sources: DataDirSources): Promise<SideCache> {
  const directory = cacheDirectory(place, sources);
  try {
    return await SideCache.open(directory);
  } catch (error) {
    if (!CastoreError.is(error) || error.code !== "UNSUPPORTED") throw error;
    await rm(directory, { recursive: true, force: true });
    return await SideCache.open(directory);
  }
}

/** Below `$XDG_CACHE_HOME/tvix`, else `/var/cache/tvix` for root and `~/.cache/tvix` for everyone else. */
function cacheDirectory(place: string, { env, homeDirectory, isRoot }: DataDirSources): string {
  const xdg = env["XDG_CACHE_HOME"];
  const user = isRoot ? "/var/cache" : join(homeDirectory, ".cache");
  const name = createHash("sha256").update(place).digest("hex").slice(0, 32);
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : user, "tvix", name);
}
