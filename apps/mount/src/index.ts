/**
 * `tvix mount` and `tvix virtiofs`: a store as a read-only file system.
 *
 * @module
 */
export { FailureNotes } from "./failure-notes.js";
export type { MountHost } from "./mount-host.js";
export { type RunMountOptions, runMount } from "./run-mount.js";
export { type UnmountStoreMode, unmountStore } from "./unmount-store.js";
