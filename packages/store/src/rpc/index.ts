/**
 * Server side: the services of store as implementations for a router of `@connectrpc/connect`, which must
 * be installed. What serves them over the network is chosen by the caller.
 *
 * @module
 */
export { connectToStoreError, isCodedError } from "./error-mapping.js";
export { registerMaintenanceService } from "./maintenance-service.js";
export { type PathInfoRpcOptions, registerPathInfoService } from "./path-info-service.js";
