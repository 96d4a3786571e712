/** The services under the names that snix gives them; messages are those of tvix. */

export {
  BlobService as SnixBlobService,
  DirectoryService as SnixDirectoryService,
  file_snix_castore_protos_rpc_castore,
} from "./gen/snix/castore/protos/rpc_castore_pb.js";
export {
  file_snix_store_protos_rpc_store,
  PathInfoService as SnixPathInfoService,
} from "./gen/snix/store/protos/rpc_store_pb.js";
