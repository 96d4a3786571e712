import { CacheDirectoryService } from "@tvix/castore";
import type { DerivedCache } from "@tvix/castore/local";
import { CachePathInfoService } from "@tvix/store";
import { choice, defaulted, optional, service, time } from "../fields/fields.js";
import type { OpenedService } from "../registry/backend.js";
import type { BackendRegistry } from "../registry/backend-registry.js";

/** Where a cache in a local store notes Directories that it has read. */
const DIRECTORY_SPACE = "cached-directory";
/** The same for path infos. */
const PATH_INFO_SPACE = "cached-path-info";

/** `cache`: a service that is near keeps what was read from one that is far. `combined` in tvix. */
export function registerCache(registry: BackendRegistry): void {
  const names = { types: ["cache", "combined"], schemes: ["cache"] } as const;
  registry.register("directories", {
    ...names,
    fields: {
      near: service("directories"),
      far: service("directories"),
      writes: defaulted(choice(["near", "through"]), "near"),
      misses_for: optional(time()),
    },
    open: async ({ near, far, writes, misses_for }, context) => {
      const nearby = await context.open(near);
      const cache = new CacheDirectoryService(nearby.service, (await context.open(far)).service, {
        writes,
        ...notesIn(nearby, DIRECTORY_SPACE),
        ...(misses_for === undefined ? {} : { missesForMs: misses_for }),
      });
      context.onClose(() => cache.close());
      return { service: cache };
    },
  });
  registry.register("pathInfos", {
    ...names,
    fields: {
      near: service("pathInfos"),
      far: service("pathInfos"),
      writes: defaulted(choice(["near", "through"]), "near"),
      misses_for: optional(time()),
    },
    open: async ({ near, far, writes, misses_for }, context) => {
      const nearby = await context.open(near);
      const cache = new CachePathInfoService(nearby.service, (await context.open(far)).service, {
        writes,
        ...notesIn(nearby, PATH_INFO_SPACE),
        ...(misses_for === undefined ? {} : { missesForMs: misses_for }),
      });
      context.onClose(() => cache[Symbol.asyncDispose]());
      return { service: cache };
    },
  });
}

/** What was read is noted beside the near store where that is local: there it outlives the process. */
function notesIn({ whole }: OpenedService, space: string): { notes?: DerivedCache } {
  return whole?.local === undefined ? {} : { notes: whole.local.derived(space) };
}
