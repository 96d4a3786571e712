import type { RpcServer } from "@tvix/grpc";
import type { RootSigner } from "@tvix/store";
import type { BinaryCache } from "@tvix/store/http";
import type { Gatekeeper } from "../auth/gatekeeper.js";
import type { Settings } from "../config/settings.js";
import type { Life } from "../life/life.js";
import { errorText, type Logger } from "../log/logger.js";
import { readSecretFiles } from "./secret-files.js";

/** What a reload reads with, and what it changes. */
export interface ReloadParts {
  readonly settings: Settings;
  readonly logger: Logger;
  readonly life: Life;
  readonly gatekeeper: Gatekeeper;
  readonly server: RpcServer;
  readonly cache: BinaryCache;
  readonly rootSigner: RootSigner;
}

/**
 * Reads certificates, tokens and signing keys again. If any file is broken, nothing changes: those who could come still
 * can.
 */
export function reload(parts: ReloadParts): void {
  const { settings, logger, life, gatekeeper, server, cache, rootSigner } = parts;
  if (life.state !== "ready") return;
  life.become("reloading");
  try {
    const { tls, tokens, signingKeys, warnings, fields } = readSecretFiles(settings);
    for (const warning of warnings) logger.warn(warning);
    if (tls !== undefined) server.replaceTls(tls);
    if (tokens !== undefined) gatekeeper.replaceTokens(tokens);
    cache.replaceSigningKeys(signingKeys);
    rootSigner.replaceKeys(signingKeys);
    logger.info("reloaded", fields);
  } catch (error) {
    const reason = errorText(error);
    logger.error("not reloaded, certificates, tokens and signing keys are as they were", {
      reason,
    });
  }
  life.become("ready");
}

/** Requests to read files again. One that comes while the daemon starts is served when it is ready. */
export class ReloadRequests {
  #serve: (() => void) | undefined;
  #isWaiting = false;

  request(): void {
    if (this.#serve === undefined) this.#isWaiting = true;
    else this.#serve();
  }

  /** From now on each request calls `serve`, which is called at once if there was one. */
  serve(serve: () => void): void {
    this.#serve = serve;
    if (this.#isWaiting) serve();
  }
}
