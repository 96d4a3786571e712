/** Messages and the service of `tvix.castore.range.v1`, an addition of ours. */

export type {
  ReadSliceRequest,
  ReadTreeRequest,
  ReadTreeResponse,
  SliceChunk,
} from "./gen/tvix/castore/range/protos/range_pb.js";
export {
  file_tvix_castore_range_protos_range,
  RangeService,
  ReadSliceRequestSchema,
  ReadTreeRequestSchema,
  ReadTreeResponseSchema,
  SliceChunkSchema,
} from "./gen/tvix/castore/range/protos/range_pb.js";
