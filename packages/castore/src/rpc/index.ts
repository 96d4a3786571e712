/**
 * Server side: the services of castore as implementations for a router of `@connectrpc/connect`, which
 * must be installed. What serves them over the network is chosen by the caller.
 *
 * @module
 */
export { type BatchServices, registerBatchService } from "./batch-service.js";
export { registerBlobService } from "./blob-service.js";
export { digestField } from "./digest-field.js";
export { registerDirectoryService } from "./directory-service.js";
export {
  CASTORE_CODES,
  CONNECT_CODES,
  type CodedError,
  castoreErrorToConnect,
  connectToCastoreError,
  ERROR_CODE_TRAILER,
  type RemoteFailure,
  remoteFailure,
  type ToConnectOptions,
} from "./error-mapping.js";
export {
  answer,
  answerStream,
  type ErrorPolicy,
  type FailedCall,
  type RpcOptions,
} from "./handler-call.js";
export { BLOB_SIZE_HEADER } from "./limits.js";
export { registerRangeService } from "./range-service.js";
