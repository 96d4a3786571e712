import { BLOB_SIZE_HEADER, ERROR_CODE_TRAILER } from "@tvix/castore/rpc";
import { createRpcServer, type RpcServer, type ServerTls } from "@tvix/grpc";
import type { RootSigner } from "@tvix/store";
import { type BinaryCache, peekText, tryServe } from "@tvix/store/http";
import type { Gatekeeper } from "../auth/gatekeeper.js";
import type { Settings } from "../config/settings.js";
import type { Life } from "../life/life.js";
import type { Logger } from "../log/logger.js";
import type { Metrics } from "../metrics/metrics.js";
import type { Tracing } from "../tracing/tracing.js";
import { authorizeBy } from "./authorize.js";
import { reportCacheFailure } from "./binary-cache.js";
import { cacheAnswers, httpRoutes } from "./http-routes.js";
import { createObserver } from "./observer.js";
import { registerWithProbes } from "./probes.js";
import type { StoreParts } from "./store-parts.js";
import { registerStoreServices } from "./store-services.js";

/** What the server is put together from. */
export interface ServerParts {
  readonly settings: Settings;
  readonly tls: ServerTls | undefined;
  readonly life: Life;
  readonly logger: Logger;
  readonly gatekeeper: Gatekeeper;
  readonly shared: StoreParts;
  readonly cache: BinaryCache;
  readonly rootSigner: RootSigner;
  readonly metrics: Metrics | undefined;
  readonly tracing: Tracing | undefined;
}

/** The server with all services. It does not listen yet. */
export function createServer(parts: ServerParts): RpcServer {
  const { settings, shared, cache, life, logger, metrics, tracing } = parts;
  const onError = (error: unknown): void => reportCacheFailure(logger, error);
  return createRpcServer({
    routes: (router) =>
      registerWithProbes(router, life, (noting) =>
        registerStoreServices(noting, {
          parts: shared,
          list: settings.list,
          maxDirectories: settings["limit.directories"],
          rootSigner: parts.rootSigner,
        }),
      ),
    authorize: authorizeBy(parts.gatekeeper),
    answerAtOnce: cacheAnswers(peekText(cache), metrics),
    fallback: httpRoutes({ life, logger, metrics, serveCache: tryServe(cache, { onError }) }),
    observer: createObserver({ logger, metrics, tracing }),
    tls: parts.tls,
    cors: {
      origins: settings["cors-origin"],
      exposedHeaders: [BLOB_SIZE_HEADER, ERROR_CODE_TRAILER],
    },
    limits: {
      maxConnections: settings["limit.connections"],
      maxStreamsPerConnection: settings["limit.streams"],
      maxCalls: settings["limit.calls"],
      maxReceiveBytes: settings["limit.message-in"],
      maxSendBytes: settings["limit.message-out"],
      headerTimeoutMs: settings["limit.header-timeout"],
      idleTimeoutMs: settings["limit.idle-timeout"],
      stallTimeoutMs: settings["limit.stall-timeout"],
    },
  });
}
