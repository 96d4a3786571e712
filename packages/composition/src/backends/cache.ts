import { CacheBlobService, CacheDirectoryService, type GuardOptions } from "@tvix/castore";
import type { DerivedCache } from "@tvix/castore/local";
import { CachePathInfoService } from "@tvix/store";
import { CompositionError } from "../composition-error.js";
import type { ServiceReference } from "../fields/field.js";
import { alias, choice, defaulted, flag, optional, service, size, time } from "../fields/fields.js";
import type { OpenContext, OpenedService } from "../registry/backend.js";
import type { BackendRegistry } from "../registry/backend-registry.js";
import type { ServiceKind } from "../service-kind.js";
import { BoundedBlobService } from "./bounded-blob-service.js";
import { boundedNotes, StoreBudget } from "./store-budget.js";
import { telling } from "./telling.js";

/** Where a cache in a local store notes how blobs of far are cut. */
const CHUNK_LIST_SPACE = "cached-chunk-list";
/** The same for Directories that it has read. */
const DIRECTORY_SPACE = "cached-directory";
/** The same for path infos. */
const PATH_INFO_SPACE = "cached-path-info";

const NOT_KEPT = "what was read could not be kept";

const NAMES = { types: ["cache", "combined"], schemes: ["cache"] } as const;

/** What caches of all kinds have. */
const COMMON = {
  writes: defaulted(choice(["near", "through"]), "near"),
  misses_for: alias(optional(time()), "misses-for"),
  max_near_size: alias(optional(size()), "max-near-size"),
};

/** `cache`: a service that is near keeps what was read from one that is far. `combined` in tvix. */
export function registerCache(registry: BackendRegistry): void {
  registerBlobCache(registry);
  registry.register("directories", {
    ...NAMES,
    fields: {
      near: alias(service("directories"), "local"),
      far: alias(service("directories"), "remote"),
      ...COMMON,
    },
    open: async ({ near, far, writes, misses_for, max_near_size }, context) => {
      const nearby = await openNear(near, max_near_size, context);
      const { service: remote } = await context.open(far);
      const cache = new CacheDirectoryService(nearby.service, remote, {
        writes,
        ...notesIn(nearby, DIRECTORY_SPACE),
        ...missesFor(misses_for),
        far: { name: far.label },
        onFillError: telling(context, NOT_KEPT),
      });
      context.onClose(() => cache.close());
      return { service: cache };
    },
  });
  registry.register("pathInfos", {
    ...NAMES,
    fields: {
      near: alias(service("pathInfos"), "local"),
      far: alias(service("pathInfos"), "remote"),
      ...COMMON,
    },
    open: async ({ near, far, writes, misses_for, max_near_size }, context) => {
      const nearby = await openNear(near, max_near_size, context);
      const { service: remote } = await context.open(far);
      const cache = new CachePathInfoService(nearby.service, remote, {
        writes,
        ...notesIn(nearby, PATH_INFO_SPACE),
        ...missesFor(misses_for),
        far: { name: far.label },
        onFillError: telling(context, NOT_KEPT),
      });
      context.onClose(() => cache[Symbol.asyncDispose]());
      return { service: cache };
    },
  });
}

function registerBlobCache(registry: BackendRegistry): void {
  registry.register("blobs", {
    ...NAMES,
    fields: {
      near: alias(service("blobs"), "local"),
      far: alias(service("blobs"), "remote"),
      ...COMMON,
      timeout: optional(time()),
      max_fill: alias(optional(size(0)), "max-fill"),
      max_bytes_in_flight: alias(optional(size()), "max-bytes-in-flight"),
      trusts_chunk_lists: alias(defaulted(flag(), "false"), "trusts-chunk-lists"),
    },
    open: async (settings, context) => {
      const { near, far, writes, misses_for, timeout, max_fill, max_bytes_in_flight } = settings;
      const nearby = await openNear(near, settings.max_near_size, context);
      const { service: remote } = await context.open(far);
      const { service: blobs, budget } = nearby;
      const local = budget === undefined ? blobs : new BoundedBlobService(blobs, budget);
      const guard: GuardOptions = timeout === undefined ? {} : { timeoutMs: timeout };
      const cache = new CacheBlobService(local, remote, {
        writes,
        ...notesIn(nearby, CHUNK_LIST_SPACE),
        ...missesFor(misses_for),
        ...(max_fill === undefined ? {} : { maxFillBytes: max_fill }),
        ...(max_bytes_in_flight === undefined ? {} : { maxBytesInFlight: max_bytes_in_flight }),
        trustsChunkLists: settings.trusts_chunk_lists,
        far: { ...guard, name: far.label },
        onFillError: telling(context, NOT_KEPT),
      });
      context.onClose(() => cache[Symbol.asyncDispose]());
      return { service: cache };
    },
  });
}

/** What is near, bounded where that is asked for. */
interface Nearby<K extends ServiceKind> extends OpenedService<K> {
  readonly budget: StoreBudget | undefined;
}

async function openNear<K extends ServiceKind>(
  near: ServiceReference<K>,
  maxBytes: number | undefined,
  context: OpenContext,
): Promise<Nearby<K>> {
  const opened = await context.open(near);
  if (maxBytes === undefined) return { ...opened, budget: undefined };
  const local = opened.whole?.local;
  if (local !== undefined) return { ...opened, budget: new StoreBudget(local, maxBytes) };
  const what = "max_near_size is for a near store of type local";
  throw new CompositionError("unusable", [`${context.label}: ${what}`]);
}

/** What was read is noted beside the near store where that is local: there it outlives the process. */
function notesIn({ whole, budget }: Nearby<ServiceKind>, space: string): { notes?: DerivedCache } {
  const notes = whole?.local?.derived(space);
  if (notes === undefined) return {};
  return { notes: budget === undefined ? notes : boundedNotes(notes, budget) };
}

function missesFor(time: number | undefined): { missesForMs?: number } {
  return time === undefined ? {} : { missesForMs: time };
}
