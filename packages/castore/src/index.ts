/**
 * Content-addressed file trees: BLAKE3 blobs and Merkle Directories, compatible with tvix-castore.
 * This entry runs anywhere: in Node, browsers and Deno. What needs a file system is in
 * `@tvix/castore/fs` and `@tvix/castore/local`.
 *
 * @module
 */
export type {
  BlobReader,
  BlobService,
  ByteRange,
  CallOptions,
  ChunkMeta,
} from "./blobservice/blob-service.js";
export { MemoryBlobService } from "./blobservice/memory.js";
export { putBytes } from "./blobservice/put-bytes.js";
export { readBlob } from "./blobservice/read-blob.js";
export {
  compareBytes,
  concatBytes,
  copyBytes,
  equalBytes,
  escapeBytes,
  toBase64,
  toHex,
  toLatin1,
  toUtf8,
} from "./bytes.js";
export { type ChunkBatch, Chunker } from "./chunking/chunker.js";
export {
  type ChunkSizes,
  chunkSizes,
  cutChunks,
  DEFAULT_AVERAGE_CHUNK_SIZE,
} from "./chunking/fastcdc.js";
export { B3Digest, DIGEST_LENGTH } from "./digest.js";
export {
  InvalidDirectoryClosureError,
  type InvalidDirectoryClosureReason,
} from "./directoryservice/closure-error.js";
export type { DirectoryService } from "./directoryservice/directory-service.js";
export { MemoryDirectoryService } from "./directoryservice/memory.js";
export {
  LeavesToRootValidator,
  RootToLeavesValidator,
  type ValidatedDirectory,
} from "./directoryservice/order-validator.js";
export { CastoreError, type CastoreErrorCode } from "./errors.js";
export { type Blake3Hash, blake3, createBlake3 } from "./hasher/blake3.js";
export {
  Directory,
  type DirectoryEntry,
  type DirectorySizeRule,
  InvalidDirectoryError,
  type InvalidDirectoryReason,
  MAX_DIRECTORY_ENTRIES,
} from "./nodes/directory.js";
export {
  type DirectoryNode,
  directoryNode,
  equalNodes,
  type FileNode,
  fileNode,
  type Node,
  type SymlinkNode,
  symlinkNode,
} from "./nodes/node.js";
export {
  InvalidSymlinkTargetError,
  type InvalidSymlinkTargetReason,
  MAX_SYMLINK_TARGET_LENGTH,
  SymlinkTarget,
} from "./nodes/symlink-target.js";
export {
  InvalidNameError,
  type InvalidNameReason,
  MAX_NAME_LENGTH,
  PathComponent,
} from "./path/component.js";
export { Path } from "./path/path.js";
export { descendTo, getChild } from "./traversal/descend-to.js";
export { walkClosure } from "./traversal/walk.js";
export { type TreeEntry, walkTree } from "./traversal/walk-tree.js";
export {
  type DecodeDirectoryOptions,
  decodeDirectory,
  encodeDirectory,
  MAX_DIRECTORY_BYTES,
} from "./wire/directory-codec.js";
export { directoryDigest } from "./wire/directory-digest.js";
export {
  decodeAnonymousNode,
  decodeNode,
  encodeNode,
  InvalidNodeError,
  type InvalidNodeReason,
  type NamedNode,
} from "./wire/node-codec.js";
