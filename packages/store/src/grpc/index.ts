/**
 * Client side: the services of store over a transport of `@connectrpc/connect`, which must be installed.
 * Where the transport leads is chosen by the caller.
 *
 * @module
 */
export { GrpcStoreMaintenance } from "./maintenance.js";
export { GrpcNarCalculation } from "./nar-calculation.js";
export { GrpcPathInfoService } from "./path-info-service.js";
