import type { CallOptions, GuardedStore } from "@tvix/castore";
import type { PathInfo } from "../path-info.js";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";
import { mergeListings } from "./merge-listings.js";

/** `mergeListings()` of stores that are given up when they take too long. */
export function listGuarded(
  stores: readonly GuardedStore<PathInfoService>[],
  options: CallOptions,
): AsyncGenerator<PathInfo, void, undefined> {
  const listings = stores.map((store) => ({
    list: (call: CallOptions = {}) => store.stream((service, given) => service.list(given), call),
  }));
  return mergeListings(listings, options);
}
