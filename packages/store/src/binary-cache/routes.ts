import { BUILD_LOG_ROUTE } from "./build-log.js";
import { CACHE_INFO_ROUTE } from "./cache-info.js";
import { CASTORE_NAR_ROUTE } from "./castore-nar.js";
import { LISTING_ROUTE } from "./listing.js";
import { NAR_FILE_ROUTE } from "./nar-file.js";
import { NARINFO_ROUTE } from "./narinfo-route.js";
import { REALISATION_ROUTE } from "./realisation-route.js";
import type { Route } from "./route.js";
import { SERVE_ROUTE } from "./serve/serve-route.js";

/** Everything that a cache serves. No two patterns match the same path. */
export const ROUTES: readonly Route[] = [
  NARINFO_ROUTE,
  LISTING_ROUTE,
  CASTORE_NAR_ROUTE,
  NAR_FILE_ROUTE,
  CACHE_INFO_ROUTE,
  BUILD_LOG_ROUTE,
  REALISATION_ROUTE,
  SERVE_ROUTE,
];

/** The name of the route of a raw path, see {@link Route.name}; `undefined` for a path that no cache has. */
export function binaryCacheRoute(path: string): string | undefined {
  return ROUTES.find(({ pattern }) => pattern.test(path))?.name;
}
