import type { TokenScope } from "./token-set.js";

/** What a caller needs: a scope of a token, or nothing at all. */
export type NeededScope = TokenScope | "none";

/** Services under the names of tvix and of snix. */
const BLOB_SERVICE = { Stat: "read", Read: "read", Put: "write" } as const;
const DIRECTORY_SERVICE = { Get: "read", Put: "write" } as const;
const PATH_INFO_SERVICE = {
  Get: "read",
  List: "read",
  CalculateNAR: "read",
  Put: "write",
} as const;
const REFLECTION = { ServerReflectionInfo: "read" } as const;

/** What each method takes. */
const SCOPES: Readonly<Record<string, Readonly<Record<string, NeededScope>>>> = {
  "tvix.castore.v1.BlobService": BLOB_SERVICE,
  "snix.castore.v1.BlobService": BLOB_SERVICE,
  "tvix.castore.v1.DirectoryService": DIRECTORY_SERVICE,
  "snix.castore.v1.DirectoryService": DIRECTORY_SERVICE,
  "tvix.store.v1.PathInfoService": PATH_INFO_SERVICE,
  "snix.store.v1.PathInfoService": PATH_INFO_SERVICE,
  "tvix.castore.batch.v1.BatchService": {
    FindMissingBlobs: "read",
    FindMissingDirectories: "read",
    ReadBlobs: "read",
    PutBlobs: "write",
    PutChunkedBlob: "write",
    PutDirectories: "write",
  },
  "tvix.castore.range.v1.RangeService": { ReadSlice: "read" },
  // Check reads the whole store: whoever only reads shall not make it do that.
  "tvix.store.maintenance.v1.MaintenanceService": { Describe: "read", Check: "write" },
  "grpc.reflection.v1.ServerReflection": REFLECTION,
  "grpc.reflection.v1alpha.ServerReflection": REFLECTION,
  // Probes have no token, and learn no more than that the daemon is there.
  "grpc.health.v1.Health": { Check: "none", Watch: "none", List: "none" },
};

/** Paths of the HTTP server that are not methods. */
const PATH_SCOPES: ReadonlyMap<string, NeededScope> = new Map([
  ["/healthz", "none"],
  ["/readyz", "none"],
  ["/metrics", "read"],
]);

/**
 * What a caller needs for a path: that of a method, `/SERVICE/METHOD`, or another one. Whatever is not in
 * the tables takes a token that may write, so that nothing is open by having been forgotten.
 */
export function scopeOfPath(path: string): NeededScope {
  const known = PATH_SCOPES.get(path);
  if (known !== undefined) return known;
  const [, service = "", method = ""] = /^\/([\w.]+)\/(\w+)$/.exec(path) ?? [];
  const methods = Object.hasOwn(SCOPES, service) ? SCOPES[service] : undefined;
  const scope =
    methods !== undefined && Object.hasOwn(methods, method) ? methods[method] : undefined;
  return scope ?? "write";
}

/** Every method that is served, as `/SERVICE/METHOD`. */
export function knownMethods(): readonly string[] {
  return Object.entries(SCOPES).flatMap(([service, methods]) =>
    Object.keys(methods).map((method) => `/${service}/${method}`),
  );
}
