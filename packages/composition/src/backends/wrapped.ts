import {
  LimitedBlobService,
  LimitedDirectoryService,
  ReadOnlyBlobService,
  ReadOnlyDirectoryService,
  VerifiedBlobService,
  VerifiedDirectoryService,
} from "@tvix/castore";
import { LimitedPathInfoService, ReadOnlyPathInfoService } from "@tvix/store";
import { alias, count, defaulted, service, size } from "../fields/fields.js";
import type { BackendRegistry } from "../registry/backend-registry.js";
import type { ServiceKind, ServiceOf } from "../service-kind.js";

/** `verified`, `read-only` and `limit` show another service. */
export function registerWrapped(registry: BackendRegistry): void {
  wrapped(registry, "blobs", ["verified"], (inner) => new VerifiedBlobService(inner));
  wrapped(registry, "directories", ["verified"], (inner) => new VerifiedDirectoryService(inner));
  wrapped(registry, "blobs", ["read-only"], (inner) => new ReadOnlyBlobService(inner));
  wrapped(registry, "directories", ["read-only"], (inner) => new ReadOnlyDirectoryService(inner));
  wrapped(registry, "pathInfos", ["read-only"], (inner) => new ReadOnlyPathInfoService(inner));
  registerLimits(registry);
}

function wrapped<K extends ServiceKind>(
  registry: BackendRegistry,
  kind: K,
  types: readonly [string, ...string[]],
  wrap: (inner: ServiceOf[K]) => ServiceOf[K],
): void {
  registry.register(kind, {
    types,
    fields: { inner: service(kind) },
    open: async ({ inner }, context) => ({ service: wrap((await context.open(inner)).service) }),
  });
}

const MAX_CALLS = 1_000_000;

function registerLimits(registry: BackendRegistry): void {
  const calls = alias(defaulted(count(1, MAX_CALLS), "64"), "max-calls");
  registry.register("blobs", {
    types: ["limit"],
    fields: {
      inner: service("blobs"),
      max_calls: calls,
      max_bytes_in_flight: defaulted(size(), "64MiB"),
    },
    open: async ({ inner, max_calls, max_bytes_in_flight }, context) => ({
      service: new LimitedBlobService((await context.open(inner)).service, {
        maxCalls: max_calls,
        maxBytesInFlight: max_bytes_in_flight,
      }),
    }),
  });
  registry.register("directories", {
    types: ["limit"],
    fields: { inner: service("directories"), max_calls: calls },
    open: async ({ inner, max_calls }, context) => ({
      service: new LimitedDirectoryService((await context.open(inner)).service, {
        maxCalls: max_calls,
      }),
    }),
  });
  registry.register("pathInfos", {
    types: ["limit"],
    fields: { inner: service("pathInfos"), max_calls: calls },
    open: async ({ inner, max_calls }, context) => ({
      service: new LimitedPathInfoService((await context.open(inner)).service, {
        maxCalls: max_calls,
      }),
    }),
  });
}
