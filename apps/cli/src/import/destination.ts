import type { StatCache } from "@tvix/castore/fs";
import { RememberedNarCalculation, RenderedNarCalculation } from "@tvix/store";
import type { ImportServices } from "@tvix/store/fs";
import type { OpenStore } from "../store/open.js";
import {
  DryRunBlobService,
  type DryRunCounts,
  DryRunDirectoryService,
  DryRunPathInfoService,
} from "./dry-run.js";

/** What importing has added so far, and what it found there. */
export interface Counts {
  /** Blobs, chunks, Directories and path infos that are new. */
  readonly newObjects: number;
  /** Their bytes before compression. */
  readonly newBytes: number;
  /** Bytes written for them; `undefined` where nothing is written. */
  readonly writtenBytes: number | undefined;
  readonly knownObjects: number;
  readonly knownBytes: number;
}

/** Where an import goes. */
export interface Destination {
  readonly services: ImportServices;
  readonly statCache: StatCache | undefined;
  counts(): Counts;
}

/** Imports into the store. */
export function storeDestination({ local, pathInfos }: OpenStore): Destination {
  const { blobs, directories } = local;
  const narCalculation = new RememberedNarCalculation(
    new RenderedNarCalculation(local),
    local.derived("nar"),
  );
  return {
    services: { blobs, directories, pathInfos, narCalculation },
    statCache: local.derived("stat"),
    counts() {
      const { added, known } = local.counters;
      return {
        newObjects: added.records,
        newBytes: added.rawBytes,
        writtenBytes: added.storedBytes,
        knownObjects: known.records,
        knownBytes: known.rawBytes,
      };
    },
  };
}

/**
 * Imports nowhere, but counts what the store does not have. Everything is read: whether a file is
 * new can only be told by its digest.
 */
export function dryRunDestination({ local, pathInfos }: OpenStore): Destination {
  const counts: DryRunCounts = { newObjects: 0, newBytes: 0, knownObjects: 0, knownBytes: 0 };
  const services = {
    blobs: new DryRunBlobService(local.blobs, counts),
    directories: new DryRunDirectoryService(local.directories, counts),
    pathInfos: new DryRunPathInfoService(pathInfos),
    // The whole tree is read, so its NAR is known without asking.
    narCalculation: new RenderedNarCalculation(local),
  };
  return {
    services,
    statCache: undefined,
    counts: () => ({ ...counts, writtenBytes: undefined }),
  };
}

/** What `after` counts on top of `before`. */
export function countsSince(before: Counts, after: Counts): Counts {
  const { writtenBytes } = after;
  return {
    newObjects: after.newObjects - before.newObjects,
    newBytes: after.newBytes - before.newBytes,
    writtenBytes: writtenBytes && writtenBytes - (before.writtenBytes ?? 0),
    knownObjects: after.knownObjects - before.knownObjects,
    knownBytes: after.knownBytes - before.knownBytes,
  };
}
