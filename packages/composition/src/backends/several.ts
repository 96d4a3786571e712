import {
  FallbackBlobService,
  FallbackDirectoryService,
  type GuardOptions,
  RaceBlobService,
  RaceDirectoryService,
  type StoreMember,
} from "@tvix/castore";
import { FallbackPathInfoService, RacePathInfoService } from "@tvix/store";
import type { ServiceReference } from "../fields/field.js";
import { alias, count, optional, services, time } from "../fields/fields.js";
import type { OpenContext } from "../registry/backend.js";
import type { BackendRegistry } from "../registry/backend-registry.js";
import type { ServiceKind, ServiceOf } from "../service-kind.js";

/** `fallback` asks several services in turn, `race` all at a time: the first right answer counts. */
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
    fields: {
      stores: alias(services(kind), "services"),
      timeout: optional(time()),
      failures: optional(count(1, 1000)),
      retry_after: optional(time()),
    },
    open: async ({ stores, timeout, failures, retry_after }, context) => {
      const members = await openMembers(stores, context);
      return {
        service: combine(members, {
          ...(timeout === undefined ? {} : { timeoutMs: timeout }),
          ...(failures === undefined ? {} : { failures }),
          ...(retry_after === undefined ? {} : { retryAfterMs: retry_after }),
        }),
      };
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
