/**
 * `tvix mount` and `tvix virtiofs`: a store as a read-only file system.
 *
 * @module
 */
export {};
