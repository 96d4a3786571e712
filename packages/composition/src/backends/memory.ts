import { MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";
import { MemoryPathInfoService } from "@tvix/store";
import type { BackendRegistry } from "../registry/backend-registry.js";

/** `memory:`: a new, empty service that is gone with the composition. */
export function registerMemory(registry: BackendRegistry): void {
  const names = { types: ["memory"], schemes: ["memory"], fields: {} } as const;
  registry.register("blobs", {
    ...names,
    types: ["memory"],
    open: () => ({ service: new MemoryBlobService() }),
  });
  registry.register("directories", {
    ...names,
    types: ["memory"],
    open: () => ({ service: new MemoryDirectoryService() }),
  });
  registry.register("pathInfos", {
    ...names,
    types: ["memory"],
    open: () => ({ service: new MemoryPathInfoService() }),
  });
}
