/** Messages and the service of `tvix.castore.batch.v1`, an addition of ours. */

export type {
  FindMissingBlobsRequest,
  FindMissingBlobsResponse,
  FindMissingDirectoriesRequest,
  FindMissingDirectoriesResponse,
  PutBlobsRequest,
  PutBlobsResponse,
  PutChunkedBlobRequest,
  PutChunkedBlobRequest_ChunkMeta,
  PutChunkedBlobResponse,
  PutDirectoriesRequest,
  PutDirectoriesResponse,
  ReadBlobsRequest,
  ReadBlobsResponse,
} from "./gen/tvix/castore/batch/protos/batch_pb.js";
export {
  BatchService,
  FindMissingBlobsRequestSchema,
  FindMissingBlobsResponseSchema,
  FindMissingDirectoriesRequestSchema,
  FindMissingDirectoriesResponseSchema,
  file_tvix_castore_batch_protos_batch,
  PutBlobsRequestSchema,
  PutBlobsResponseSchema,
  PutChunkedBlobRequest_ChunkMetaSchema,
  PutChunkedBlobRequestSchema,
  PutChunkedBlobResponseSchema,
  PutDirectoriesRequestSchema,
  PutDirectoriesResponseSchema,
  ReadBlobsRequestSchema,
  ReadBlobsResponseSchema,
} from "./gen/tvix/castore/batch/protos/batch_pb.js";
