/** Messages and the service of `tvix.store.maintenance.v1`, an addition of ours. */

export type {
  CheckRequest,
  CheckResponse,
  CheckResponse_Finding,
  CheckResponse_Progress,
  DescribeRequest,
  DescribeResponse,
} from "./gen/tvix/store/maintenance/protos/maintenance_pb.js";
export {
  CheckRequestSchema,
  CheckResponse_FindingSchema,
  CheckResponse_ProgressSchema,
  CheckResponseSchema,
  DescribeRequestSchema,
  DescribeResponseSchema,
  file_tvix_store_maintenance_protos_maintenance,
  MaintenanceService,
} from "./gen/tvix/store/maintenance/protos/maintenance_pb.js";
