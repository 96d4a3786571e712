/** Messages and services of `tvix.store.v1`, generated from the files in `tvix/store/protos`. */

export type {
  NARInfo,
  NARInfo_CA,
  NARInfo_Signature,
  PathInfo,
  StorePath,
} from "./gen/tvix/store/protos/pathinfo_pb.js";
export {
  file_tvix_store_protos_pathinfo,
  NARInfo_CA_Hash,
  NARInfo_CA_HashSchema,
  NARInfo_CASchema,
  NARInfo_SignatureSchema,
  NARInfoSchema,
  PathInfoSchema,
  StorePathSchema,
} from "./gen/tvix/store/protos/pathinfo_pb.js";
export type {
  CalculateNARResponse,
  GetPathInfoRequest,
  ListPathInfoRequest,
} from "./gen/tvix/store/protos/rpc_pathinfo_pb.js";
export {
  CalculateNARResponseSchema,
  file_tvix_store_protos_rpc_pathinfo,
  GetPathInfoRequestSchema,
  ListPathInfoRequestSchema,
  PathInfoService,
} from "./gen/tvix/store/protos/rpc_pathinfo_pb.js";
