/**
 * `tvix mount` and `tvix virtiofs`: a store as a read-only file system.
 *
 * @module
 */
export { isAnswering } from "./is-answering.js";
export type { MountHost } from "./mount-host.js";
export { type RunMountOptions, runMount } from "./run-mount.js";
export { type RunVirtiofsOptions, runVirtiofs } from "./run-virtiofs.js";
export {
  type MountedServices,
  type NamedNode,
  type StoreFileSystemOptions,
  storeFileSystem,
} from "./store-file-system.js";
export { type UnmountStoreMode, unmountStore } from "./unmount-store.js";
