/**
 * Takes store paths from other binary caches, and copies trees between stores. Needs Node.
 *
 * @module
 */
export { FILE_COMPRESSIONS } from "../compression/compress-file.js";
export type { Compression } from "../compression/compression.js";
export { CompressionError } from "../compression/compression-error.js";
export { decompress } from "../compression/decompress.js";
export { canCompress, type FileCompression } from "../compression/encoder.js";
export { type SniffedStream, sniffStream } from "../compression/sniff-stream.js";
export { type SignaturePolicy, signatureProblem } from "../signed-root/signature-policy.js";
export type { RetryPolicy } from "./attempts.js";
export { type CacheAddress, parseCacheAddress, showUrl } from "./cache-address.js";
export {
  CacheClient,
  type CacheClientOptions,
  type CacheTimeouts,
  type CacheTraffic,
  type Exchange,
} from "./cache-client.js";
export type { NixCacheInfo } from "./cache-info.js";
export { type CopiedTree, type CopyTreeOptions, copyTree } from "./copy-tree.js";
export {
  type NixCacheOptions,
  NixCachePathInfoService,
  type NixCacheTarget,
  type TakenPath,
} from "./nix-cache-path-info-service.js";
export { NodeTransport, type NodeTransportOptions } from "./node-transport.js";
export { PackedNar, type PackNarOptions } from "./packed-nar.js";
export type { HttpRequest, HttpResponse, HttpTransport } from "./transport.js";
export {
  UpstreamError,
  type UpstreamErrorDetails,
  type UpstreamErrorReason,
} from "./upstream-error.js";
