/** Messages and services of `tvix.castore.v1`, generated from the files in `tvix/castore/protos`. */

export type {
  Directory,
  DirectoryNode,
  FileNode,
  Node,
  SymlinkNode,
} from "./gen/tvix/castore/protos/castore_pb.js";
export {
  DirectoryNodeSchema,
  DirectorySchema,
  FileNodeSchema,
  file_tvix_castore_protos_castore,
  NodeSchema,
  SymlinkNodeSchema,
} from "./gen/tvix/castore/protos/castore_pb.js";
export type {
  BlobChunk,
  PutBlobResponse,
  ReadBlobRequest,
  StatBlobRequest,
  StatBlobResponse,
  StatBlobResponse_ChunkMeta,
} from "./gen/tvix/castore/protos/rpc_blobstore_pb.js";
export {
  BlobChunkSchema,
  BlobService,
  file_tvix_castore_protos_rpc_blobstore,
  PutBlobResponseSchema,
  ReadBlobRequestSchema,
  StatBlobRequestSchema,
  StatBlobResponse_ChunkMetaSchema,
  StatBlobResponseSchema,
} from "./gen/tvix/castore/protos/rpc_blobstore_pb.js";
export type {
  GetDirectoryRequest,
  PutDirectoryResponse,
} from "./gen/tvix/castore/protos/rpc_directory_pb.js";
export {
  DirectoryService,
  file_tvix_castore_protos_rpc_directory,
  GetDirectoryRequestSchema,
  PutDirectoryResponseSchema,
} from "./gen/tvix/castore/protos/rpc_directory_pb.js";
