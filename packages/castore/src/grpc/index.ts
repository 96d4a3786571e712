/**
 * Client side: the services of castore over a transport of `@connectrpc/connect`, which must be
 * installed. Where the transport leads is chosen by the caller.
 *
 * @module
 */
export { GrpcBlobService } from "./blob-service.js";
export { callServerStream, callUnary, callUnaryOnce, type UnaryAnswer } from "./call.js";
export { GrpcDirectoryService } from "./directory-service.js";
export { isStatus } from "./retry.js";
export type { UploadCounters } from "./upload-counters.js";
