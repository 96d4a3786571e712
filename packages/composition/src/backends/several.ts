import {
  FallbackBlobService,
  FallbackDirectoryService,
  type GuardOptions,
  MirrorBlobService,
  MirrorDirectoryService,
  type MirrorOptions,
  RaceBlobService,
  RaceDirectoryService,
  type StoreMember,
} from "@tvix/castore";
import { FallbackPathInfoService, MirrorPathInfoService, RacePathInfoService } from "@tvix/store";
import type { ServiceReference, SettingsOf } from "../fields/field.js";
import { alias, count, defaulted, flag, optional, services, time } from "../fields/fields.js";
import type { OpenContext } from "../registry/backend.js";
import type { BackendRegistry } from "../registry/backend-registry.js";
import type { ServiceKind, ServiceOf } from "../service-kind.js";
import { telling } from "./telling.js";

/**
 * `fallback` asks several services in turn, `race` all at a time: the first right answer counts. `mirror` writes to all
 * of them.
 */
export function registerSeveral(registry: BackendRegistry): void {
  const fallback = ["fallback", "priority"] as const;
  several(registry, "blobs", fallback, (all, options) => new FallbackBlobService(all, options));
  several(
    registry,
    "directories",
    fallback,
    (all, options) => new FallbackDirectoryService(all, options),
  );
  several(
    registry,
    "pathInfos",
    fallback,
    (all, options) => new FallbackPathInfoService(all, options),
  );
  several(registry, "blobs", ["race"], (all, options) => new RaceBlobService(all, options));
  several(
    registry,
    "directories",
    ["race"],
    (all, options) => new RaceDirectoryService(all, options),
  );
  several(registry, "pathInfos", ["race"], (all, options) => new RacePathInfoService(all, options));
  mirrored(registry, "blobs", (all, options) => new MirrorBlobService(all, options));
  mirrored(registry, "directories", (all, options) => new MirrorDirectoryService(all, options));
  mirrored(registry, "pathInfos", (all, options) => new MirrorPathInfoService(all, options));
}

const GUARD_FIELDS = {
  timeout: optional(time()),
  failures: optional(count(1, 1000)),
  retry_after: optional(time()),
};

/** How patient a combinator is with its stores. */
function guardOptions(settings: SettingsOf<typeof GUARD_FIELDS>): GuardOptions {
  const { timeout, failures, retry_after } = settings;
  return {
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    ...(failures === undefined ? {} : { failures }),
    ...(retry_after === undefined ? {} : { retryAfterMs: retry_after }),
  };
}

/** Makes one service of several. */
type Combine<S> = (members: readonly StoreMember<S>[], options: GuardOptions) => S;

function several<K extends ServiceKind>(
  registry: BackendRegistry,
  kind: K,
  types: readonly [string, ...string[]],
  combine: Combine<ServiceOf[K]>,
): void {
  registry.register(kind, {
    types,
    fields: { stores: alias(services(kind), "services"), ...GUARD_FIELDS },
    open: async ({ stores, ...guard }, context) => ({
      service: combine(await openMembers(stores, context), guardOptions(guard)),
    }),
  });
}

/** A mirror can be closed: it may be giving a store what that lacks. */
type Mirror<S> = (
  members: readonly StoreMember<S>[],
  options: MirrorOptions & GuardOptions,
) => S & AsyncDisposable;

function mirrored<K extends ServiceKind>(
  registry: BackendRegistry,
  kind: K,
  combine: Mirror<ServiceOf[K]>,
): void {
  registry.register(kind, {
    types: ["mirror"],
    fields: {
      stores: services(kind),
      quorum: optional(count(1, 1000)),
      heal: defaulted(flag(), "true"),
      ...GUARD_FIELDS,
    },
    rule: ({ stores, quorum }) =>
      quorum !== undefined && quorum > stores.length
        ? `has ${stores.length} stores, which are less than its quorum of ${quorum}`
        : undefined,
    open: async ({ stores, quorum, heal, ...guard }, context) => {
      const mirror = combine(await openMembers(stores, context), {
        ...guardOptions(guard),
        ...(quorum === undefined ? {} : { quorum }),
        heal,
        onHealError: telling(context, "a store did not get what it lacks"),
      });
      context.onClose(() => mirror[Symbol.asyncDispose]());
      return { service: mirror };
    },
  });
}

/** The services of references, with their names. */
async function openMembers<K extends ServiceKind>(
  references: readonly ServiceReference<K>[],
  context: OpenContext,
): Promise<readonly StoreMember<ServiceOf[K]>[]> {
  const members: StoreMember<ServiceOf[K]>[] = [];
  for (const reference of references) {
    const { service } = await context.open(reference);
    members.push({ service, name: reference.label });
  }
  return members;
}
