import type { LocalStore } from "@tvix/castore/local";
import type { RpcServer } from "@tvix/grpc";
import { RootSigner } from "@tvix/store";
import { Gatekeeper } from "./auth/gatekeeper.js";
import { knownMethods } from "./auth/method-scopes.js";
import type { LoadedSettings } from "./config/load.js";
import { exposureWarnings } from "./config/rules.js";
import type { Settings } from "./config/settings.js";
import { Closers } from "./life/closers.js";
import { Life } from "./life/life.js";
import { untilAborted } from "./life/until-aborted.js";
import { createLogger } from "./log/create-logger.js";
import type { Logger } from "./log/logger.js";
import type { Metrics } from "./metrics/metrics.js";
import { createBinaryCache } from "./server/binary-cache.js";
import { checkCompression } from "./server/check-compression.js";
import { createServer } from "./server/create-server.js";
import { listenEverywhere } from "./server/listen.js";
import { ReloadRequests, reload } from "./server/reload.js";
import { readSecretFiles } from "./server/secret-files.js";
import { composedParts, localParts, type StoreParts } from "./server/store-parts.js";
import { openComposed } from "./store/open-composed.js";
import { openStore } from "./store/open-store.js";
import { passedSockets } from "./systemd/activation.js";
import { followLife } from "./systemd/follow-life.js";
import { createNotifier } from "./systemd/notifier.js";
import { closeTracing } from "./tracing/close-tracing.js";
import { startTracing } from "./tracing/tracing.js";

/** The world outside, as far as the daemon may touch it. */
export interface DaemonHost {
  /** Variables of systemd and OpenTelemetry; those of systemd are taken out. */
  readonly env: NodeJS.ProcessEnv;
  readonly pid: number;
  readonly version: string;
  /** What is told to others who want to write to the store. */
  readonly purpose: string;
  /** Whether standard error, where the log goes, is a terminal. */
  readonly isTerminal: boolean;
  /** Writes a line of text to standard error. */
  readonly writeText: (line: string) => void;
  /** Aborted when the daemon shall end. */
  readonly signal: AbortSignal;
  /** Calls `listener` each time files shall be read again, until the returned function is called. */
  readonly onReload: (listener: () => void) => () => void;
}

/**
 * Serves the store of a data directory until `host.signal` is aborted, then lets calls end and closes
 * the store.
 *
 * @throws {@link ConfigError} for files that cannot be used, {@link StoreInUseError}, and whatever keeps the
 * store from being opened or an address from being listened on
 */
export async function runDaemon(loaded: LoadedSettings, host: DaemonHost): Promise<void> {
  const closers = new Closers();
  try {
    const daemon = await start(loaded, host, closers);
    await untilAborted(host.signal);
    await stop(daemon, loaded.settings);
  } finally {
    await closers.closeAll();
  }
}

/** What is needed to stop. */
interface Daemon {
  readonly life: Life;
  readonly logger: Logger;
  readonly server: RpcServer;
  removeSocket(): Promise<void>;
}

async function start(
  { settings, warnings }: LoadedSettings,
  host: DaemonHost,
  closers: Closers,
): Promise<Daemon> {
  const { env, pid, purpose, version, signal } = host;
  const logger = await openLog(settings, host);
  for (const warning of [...warnings, ...exposureWarnings(settings)]) logger.warn(warning);
  const life = new Life();
  // Both take their variables out of the environment, before any other program is started.
  const passed = passedSockets(env, pid);
  const watch = followLife(createNotifier(env, pid), life);
  closers.add(() => watch.stop());

  const reloads = new ReloadRequests();
  closers.add(host.onReload(() => reloads.request()));
  const { tls, tokens, signingKeys, warnings: fileWarnings } = readSecretFiles(settings);
  for (const warning of fileWarnings) logger.warn(warning);
  checkCompression(settings["cache.compression"]);
  const gatekeeper = new Gatekeeper(tokens);
  const local = await openStore(settings["data-dir"], purpose, logger);
  closers.add(() => local.close());
  signal.throwIfAborted();

  const metrics = settings.metrics ? await openMetrics(local, version) : undefined;
  const tracing = await startTracing(env, version);
  if (tracing !== undefined) closers.add(() => closeTracing(tracing, logger));
  const shared = await openParts(local, settings, { purpose, logger, closers });
  signal.throwIfAborted();
  const cache = createBinaryCache(local, shared, { settings, signingKeys, logger });
  closers.add(() => cache.close());
  const rootSigner = new RootSigner(signingKeys, shared.calculateNar);
  const server = createServer({
    settings,
    tls,
    shared,
    cache,
    rootSigner,
    life,
    logger,
    gatekeeper,
    metrics,
    tracing,
  });
  closers.add(() => server.close());
  // The first call may be waiting in a passed socket: from here on there is nothing that it would lack.
  life.become("listening");
  const listening = await listenEverywhere(server, settings, passed);
  closers.add(() => listening.removeSocket());
  signal.throwIfAborted();

  life.become("ready");
  logger.always("ready", { addresses: listening.addresses, dataDirectory: settings["data-dir"] });
  reloads.serve(() => reload({ settings, logger, life, gatekeeper, server, cache, rootSigner }));
  return { life, logger, server, removeSocket: listening.removeSocket };
}

/** What is served: the store of the data directory, unless the settings say otherwise. */
async function openParts(
  local: LocalStore,
  settings: Settings,
  { purpose, logger, closers }: { purpose: string; logger: Logger; closers: Closers },
): Promise<StoreParts> {
  const composition = await openComposed(settings, local, {
    openLocal: (directory) => openStore(directory, purpose, logger),
    warn: (message) => logger.warn(message),
  });
  if (composition === undefined) return localParts(local, settings["data-dir"]);
  closers.add(() => composition.close());
  return composedParts(composition, local);
}

/** Lets calls end. The rest is closed by the closers. */
async function stop({ life, logger, server, removeSocket }: Daemon, settings: Settings) {
  const { connectionCount, callCount } = server;
  logger.info("stopping", { calls: callCount, connections: connectionCount });
  life.become("draining");
  // Whoever looks for a daemon now must not find one that is about to end.
  await Promise.all([server.drain(settings["shutdown-grace"]), removeSocket()]);
  life.become("stopped");
  logger.info("stopped");
}

async function openLog(settings: Settings, host: DaemonHost): Promise<Logger> {
  return await createLogger({
    level: settings["log.level"],
    format: settings["log.format"],
    fd: 2,
    isTerminal: host.isTerminal,
    writeText: host.writeText,
  });
}

async function openMetrics(local: LocalStore, version: string): Promise<Metrics> {
  const { Metrics } = await import("./metrics/metrics.js");
  return new Metrics({ methods: knownMethods(), storeCounters: () => local.counters, version });
}
