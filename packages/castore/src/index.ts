/**
 * Content-addressed file trees: BLAKE3 blobs and Merkle directories.
 *
 * This entry runs wherever JavaScript runs, browsers included. What needs Node is apart: import from
 * the file system is `@tvix/castore/fs`, the embedded store `@tvix/castore/local`; the suites that
 * implementations of the services must pass are `@tvix/castore/testing`.
 *
 * @module
 */
export { encodeSlice, type ReadContent } from "./bao/encode-slice.js";
export { outboardBytes, PAGE_GROUPS, type TreeParents, treeOfOutboard } from "./bao/outboard.js";
export { SliceDecoder, type SliceDecoderOptions } from "./bao/slice-decoder.js";
export { type BuiltTree, TreeBuilder, type TreePage, treeOf } from "./bao/tree-builder.js";
export { groupValue, groupValues, MAX_GROUP_BYTES, parentValue } from "./bao/tree-kernel.js";
export { GROUP_LOG, type SliceRange } from "./bao/tree-shape.js";
export { abortable } from "./blobservice/abortable.js";
export type {
  BlobPlace,
  BlobReader,
  BlobService,
  ByteRange,
  CallOptions,
  ChunkMeta,
  ChunksOptions,
  FillManyOptions,
  OpenBlob,
  OpenManyOptions,
  OpenReadOptions,
  PutManyOptions,
} from "./blobservice/blob-service.js";
export { outboardOf, sliceOf, sliceRange } from "./blobservice/blob-slice.js";
export { type ResolvedRange, resolveRange } from "./blobservice/byte-range.js";
export {
  type BlobChunk,
  type BlobChunks,
  type ChunkedBlobUpload,
  canPutChunked,
} from "./blobservice/chunked-blob-upload.js";
export { MemoryBlobService } from "./blobservice/memory.js";
export { openBlobs } from "./blobservice/open-blobs.js";
export { putBytes } from "./blobservice/put-bytes.js";
export { type ReadBlobOptions, readBlob } from "./blobservice/read-blob.js";
export { readSource } from "./blobservice/read-source.js";
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
export { type Clock, SYSTEM_CLOCK } from "./clock.js";
export {
  type AskOptions,
  type AskStore,
  fastestAnswer,
  firstAnswer,
} from "./combinators/ask-stores.js";
export {
  type AskStreamOptions,
  fastestStream,
  firstStream,
  type OpenStream,
} from "./combinators/ask-streams.js";
export {
  CacheBlobService,
  type CacheBlobServiceOptions,
} from "./combinators/cache-blob-service.js";
export {
  CacheDirectoryService,
  type CacheDirectoryServiceOptions,
} from "./combinators/cache-directory-service.js";
export { type CacheNote, type CacheNotes, NoteQueue } from "./combinators/cache-notes.js";
export type { FillLimits } from "./combinators/closure-fill.js";
export { FallbackBlobService } from "./combinators/fallback-blob-service.js";
export { FallbackDirectoryService } from "./combinators/fallback-directory-service.js";
export { type FarOptions, guardFar } from "./combinators/far-store.js";
export {
  type GuardedCall,
  GuardedStore,
  type GuardOptions,
  type StoreMember,
} from "./combinators/guarded-store.js";
export { Healing } from "./combinators/healing.js";
export { LimitedBlobService, type LimitOptions } from "./combinators/limited-blob-service.js";
export {
  type CallLimits,
  LimitedDirectoryService,
} from "./combinators/limited-directory-service.js";
export { MirrorBlobService } from "./combinators/mirror-blob-service.js";
export { MirrorDirectoryService } from "./combinators/mirror-directory-service.js";
export {
  answersOf,
  type MirrorOptions,
  quorumOf,
  type WriteResult,
  writeResult,
} from "./combinators/mirror-writes.js";
export { NegativeAnswers } from "./combinators/negative-answers.js";
export { RaceBlobService } from "./combinators/race-blob-service.js";
export { RaceDirectoryService } from "./combinators/race-directory-service.js";
export { ReadOnlyBlobService } from "./combinators/read-only-blob-service.js";
export { ReadOnlyDirectoryService } from "./combinators/read-only-directory-service.js";
export {
  failureOfStores,
  isStoreFailure,
  type StoreFailure,
} from "./combinators/store-failures.js";
export {
  type HealthTicket,
  StoreHealth,
  type StoreHealthOptions,
} from "./combinators/store-health.js";
export { VerifiedBlobService } from "./combinators/verified-blob-service.js";
export { VerifiedDirectoryService } from "./combinators/verified-directory-service.js";
export {
  type StreamTimeoutOptions,
  streamWithTimeout,
  type TimeoutOptions,
  withTimeout,
} from "./combinators/with-timeout.js";
export { B3Digest, DIGEST_LENGTH } from "./digest.js";
export {
  InvalidDirectoryClosureError,
  type InvalidDirectoryClosureReason,
} from "./directoryservice/closure-error.js";
export { DirectoryRootNodes } from "./directoryservice/directory-root-nodes.js";
export type { DirectoryService } from "./directoryservice/directory-service.js";
export { MemoryDirectoryService } from "./directoryservice/memory.js";
export {
  LeavesToRootValidator,
  RootToLeavesValidator,
  type ValidatedDirectory,
} from "./directoryservice/order-validator.js";
export type { RootNodes } from "./directoryservice/root-nodes.js";
export { CastoreError, type CastoreErrorCode } from "./errors.js";
export { type Blake3Hash, blake3, createBlake3 } from "./hasher/blake3.js";
export { LastUsed } from "./last-used.js";
export { LinkedAbort } from "./linked-abort.js";
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
  MAX_NODE_SIZE,
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
export { orAbort } from "./or-abort.js";
export {
  InvalidNameError,
  type InvalidNameReason,
  MAX_NAME_LENGTH,
  PathComponent,
} from "./path/component.js";
export { Path } from "./path/path.js";
export { Semaphore } from "./semaphore.js";
export { copyInto } from "./shared-copy.js";
export { SingleFlight } from "./single-flight.js";
export { descendTo, getChild } from "./traversal/descend-to.js";
export { type GetDirectory, type WalkClosureOptions, walkClosure } from "./traversal/walk.js";
export { type TreeEntry, walkTree } from "./traversal/walk-tree.js";
export { whenAll } from "./when-all.js";
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
  MAX_NODE_BYTES,
  type NamedNode,
} from "./wire/node-codec.js";
