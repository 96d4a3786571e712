import type { StatCache } from "@tvix/castore/fs";
import { RenderedNarCalculation } from "@tvix/store";
import type { ImportServices } from "@tvix/store/fs";
import type { OpenStore, StoreCounts } from "../store/open-store.js";
import { DryRunBlobService, DryRunDirectoryService, DryRunPathInfoService } from "./dry-run.js";

/** Where an import goes. */
export interface Destination {
  readonly services: ImportServices;
  readonly statCache: StatCache | undefined;
  /** Whether nothing is stored. */
  readonly dryRun: boolean;
  counts(): StoreCounts | undefined;
}

/** Imports into the store. */
export function storeDestination(store: OpenStore): Destination {
  return {
    services: store,
    statCache: store.statCache,
    dryRun: false,
    counts: () => store.counts(),
  };
}

/**
 * Imports nowhere, but counts what the store does not have. Everything is read: whether a file is
 * new can only be told by its digest.
 */
export function dryRunDestination(store: OpenStore): Destination {
  const counts = { newObjects: 0, newBytes: 0, knownObjects: 0, knownBytes: 0 };
  const services = {
    blobs: new DryRunBlobService(store.blobs, counts),
    directories: new DryRunDirectoryService(store.directories, counts),
    pathInfos: new DryRunPathInfoService(store.pathInfos),
    // The whole tree is read, so its NAR is known without asking.
    narCalculation: new RenderedNarCalculation(store),
  };
  return { services, statCache: undefined, dryRun: true, counts: () => ({ ...counts }) };
}

/** What `after` counts on top of `before`; `undefined` where nobody counts. */
export function countsSince(
  before: StoreCounts | undefined,
  after: StoreCounts | undefined,
): StoreCounts | undefined {
  if (before === undefined || after === undefined) return undefined;
  return {
    newObjects: after.newObjects - before.newObjects,
    newBytes: after.newBytes - before.newBytes,
    knownObjects: after.knownObjects - before.knownObjects,
    knownBytes: after.knownBytes - before.knownBytes,
  };
}
