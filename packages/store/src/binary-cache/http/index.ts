/**
 * A binary cache for Nix, and what serves it with Node's HTTP servers. Needs Node.
 *
 * @module
 */
export { canCompress, type FileCompression } from "../../compression/encoder.js";
export { BinaryCache } from "../binary-cache.js";
export type { BinaryCacheOptions, BinaryCacheServices, StagedServices } from "../cache-parts.js";
export type { CacheHeaders, CacheRequest, CacheResponse } from "../exchange.js";
export { binaryCacheRoute } from "../routes.js";
export { type NodeHandlerOptions, nodeHandler, type TryServe, tryServe } from "./node-handler.js";
export type { NodeRequest, NodeResponse } from "./node-request.js";
export { type PeekText, peekText, type TextResponse } from "./peek-text.js";
