export {
  formatRpcAddress,
  parseRpcAddress,
  type RpcAddress,
  RpcAddressError,
  type RpcAddressReason,
} from "./client/address.js";
export { openRpcChannel, type RpcChannel } from "./client/channel.js";
export type { ClientTls, RpcChannelOptions } from "./client/options.js";
export type { CorsOptions } from "./server/cors.js";
export type {
  Authorize,
  ConnectionEnd,
  Peer,
  RequestEnd,
  RequestHead,
  RpcObserver,
  Surface,
} from "./server/hooks.js";
export type { HttpFallback, HttpRequest, HttpResponse } from "./server/http-surface.js";
export { DEFAULT_LIMITS, type RpcServerLimits } from "./server/limits.js";
export type { BoundAddress, ListenAddress, ServerTls } from "./server/listener.js";
export type { AnswerAtOnce, RpcServer, RpcServerOptions } from "./server/rpc-server.js";
export { createRpcServer } from "./server/server.js";
export type { SimpleResponse } from "./server/simple-requests.js";
export { HealthService } from "./services/health.js";
export { registerReflection } from "./services/reflection.js";
