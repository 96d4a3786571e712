import type { ConnectRouter } from "@connectrpc/connect";
import type { LocalStore } from "@tvix/castore/local";
import {
  registerBatchService,
  registerBlobService,
  registerDirectoryService,
} from "@tvix/castore/rpc";
import { LocalStoreMaintenance } from "@tvix/store/local";
import { registerMaintenanceService, registerPathInfoService } from "@tvix/store/rpc";
import type { StoreParts } from "./store-parts.js";

export interface StoreServicesOptions {
  readonly local: LocalStore;
  readonly parts: StoreParts;
  readonly dataDirectory: string;
  /** Whether all path infos can be listed. */
  readonly list: boolean;
  /** Most Directories of one upload. */
  readonly maxDirectories: number;
}

/** Serves a local store: the three services by both of their names, batches and maintenance. */
export function registerStoreServices(
  router: ConnectRouter,
  { local, parts, dataDirectory, list, maxDirectories }: StoreServicesOptions,
): void {
  const { pathInfos, calculateNar } = parts;
  registerBlobService(router, local.blobs);
  registerDirectoryService(router, local.directories, { maxDirectories });
  registerBatchService(router, local, { maxDirectories });
  registerPathInfoService(router, pathInfos, { calculateNar, list });
  registerMaintenanceService(
    router,
    new LocalStoreMaintenance({ directory: dataDirectory, local, pathInfos }),
  );
}
