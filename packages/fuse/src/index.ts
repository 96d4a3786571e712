/**
 * A castore as a read-only file system: the FUSE kernel protocol in TypeScript, over `/dev/fuse` and over
 * virtio-fs.
 *
 * @module
 */

export {
  CastoreFileSystem,
  type CastoreFileSystemOptions,
  type CastoreFileSystemParts,
} from "./castore/castore-file-system.js";
export { DIGEST_ATTRIBUTES } from "./castore/digest-attributes.js";
export type { Owner } from "./castore/node-entries.js";
export { type CastoreRoot, rootOfNode } from "./castore/root.js";
export type { Channel, ChannelRequest, RequestHandler } from "./channel/channel.js";
export { ERRNO, type Errno } from "./errno.js";
export { FuseError, type FuseErrorCode } from "./errors.js";
export {
  type Attributes,
  type AttributesReply,
  type Awaitable,
  type Caller,
  type DirectoryItem,
  type DirectorySink,
  type Entry,
  FILE_TYPE,
  type FileSystem,
  type FileSystemStatistics,
  type OpenReply,
  type Result,
  ROOT_NODE_ID,
  type SeekTo,
} from "./file-system.js";
export { findMountHolders, type MountHolder, type MountUse } from "./mount/holders.js";
export {
  type DeviceMount,
  MOUNT_TYPE,
  type MountDeviceOptions,
  mountDevice,
  setReadAhead,
} from "./mount/mount-device.js";
export { isDeadMount, locateMountPoint, type MountPoint } from "./mount/mount-point.js";
export { type MountEntry, mountAt, mountsOn, readMountTable } from "./mount/mount-table.js";
export {
  abortConnection,
  forceUnmount,
  removeMount,
  type UnmountMode,
  unmountPath,
} from "./mount/unmount.js";
export type { Connection } from "./protocol/init.js";
export type { FailedRequest, OnError } from "./session/error-reports.js";
export { Session, type SessionOptions } from "./session/session.js";
export { VirtiofsChannel, type VirtiofsChannelOptions } from "./virtiofs/virtiofs-channel.js";
export { VirtiofsError, type VirtiofsErrorReason } from "./virtiofs/virtiofs-error.js";
export { VirtiofsServer, type VirtiofsServerOptions } from "./virtiofs/virtiofs-server.js";
