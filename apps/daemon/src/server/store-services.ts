import type { ConnectRouter } from "@connectrpc/connect";
import type { LocalStore } from "@tvix/castore/local";
import {
  registerBatchService,
  registerBlobService,
  registerDirectoryService,
} from "@tvix/castore/rpc";
import { RememberedNarCalculation, RenderedNarCalculation } from "@tvix/store";
import { LocalPathInfoService, LocalStoreMaintenance } from "@tvix/store/local";
import { registerMaintenanceService, registerPathInfoService } from "@tvix/store/rpc";

export interface StoreServicesOptions {
  readonly dataDirectory: string;
  /** Whether all path infos can be listed. */
  readonly list: boolean;
  /** Most Directories of one upload. */
  readonly maxDirectories: number;
}

/** Serves a local store: the three services by both of their names, batches and maintenance. */
export function registerStoreServices(
  router: ConnectRouter,
  local: LocalStore,
  { dataDirectory, list, maxDirectories }: StoreServicesOptions,
): void {
  const pathInfos = new LocalPathInfoService(local.pathInfoRecords, { roots: local });
  const calculateNar = new RememberedNarCalculation(
    new RenderedNarCalculation(local),
    // Where imports of the command keep theirs: what one has computed the other knows.
    local.derived("nar"),
  );
  registerBlobService(router, local.blobs);
  registerDirectoryService(router, local.directories, { maxDirectories });
  registerBatchService(router, local, { maxDirectories });
  registerPathInfoService(router, pathInfos, { calculateNar, list });
  registerMaintenanceService(
    router,
    new LocalStoreMaintenance({ directory: dataDirectory, local, pathInfos }),
  );
}
