import type { ConnectRouter } from "@connectrpc/connect";
import {
  registerBatchService,
  registerBlobService,
  registerDirectoryService,
  registerRangeService,
} from "@tvix/castore/rpc";
import type { RootSigner } from "@tvix/store";
import { registerMaintenanceService, registerPathInfoService } from "@tvix/store/rpc";
import type { StoreParts } from "./store-parts.js";

export interface StoreServicesOptions {
  readonly parts: StoreParts;
  /** Whether all path infos can be listed. */
  readonly list: boolean;
  /** Most Directories of one upload. */
  readonly maxDirectories: number;
  /** Signs what is served. */
  readonly rootSigner: RootSigner;
}

/** Serves a store: the three services by both of their names, and our own: batches, ranges, maintenance. */
export function registerStoreServices(
  router: ConnectRouter,
  { parts, list, maxDirectories, rootSigner }: StoreServicesOptions,
): void {
  const { pathInfos, calculateNar, maintenance } = parts;
  registerBlobService(router, parts.blobs);
  registerDirectoryService(router, parts.directories, { maxDirectories });
  registerBatchService(router, parts, { maxDirectories });
  registerRangeService(router, parts.blobs);
  registerPathInfoService(router, pathInfos, { calculateNar, list, rootSigner });
  registerMaintenanceService(router, maintenance);
}
