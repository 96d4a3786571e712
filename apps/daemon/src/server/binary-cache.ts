import type { LocalStore } from "@tvix/castore/local";
import { type SigningKey, TrustedKeys, VerifyingKey } from "@tvix/store";
import { BinaryCache } from "@tvix/store/http";
import type { Settings } from "../config/settings.js";
import { errorText, type Logger } from "../log/logger.js";
import type { StoreParts } from "./store-parts.js";

export interface CreateBinaryCacheOptions {
  readonly settings: Settings;
  /** Sign what is served. */
  readonly signingKeys: readonly SigningKey[];
  readonly logger: Logger;
}

/**
 * The binary cache over what is served. To be closed before that.
 *
 * @param local - of the data directory: where build logs and realisations are kept
 */
export function createBinaryCache(
  local: LocalStore,
  parts: StoreParts,
  { settings, signingKeys, logger }: CreateBinaryCacheOptions,
): BinaryCache {
  const trusted = settings["cache.trusted-keys"].map((text) => VerifyingKey.parse(text));
  return new BinaryCache(
    { ...parts, values: local, ...(parts.isLocal ? { stage: () => local.stage() } : {}) },
    {
      signingKeys,
      trustedKeys: trusted.length > 0 ? TrustedKeys.of(trusted) : undefined,
      priority: settings["cache.priority"],
      wantMassQuery: settings["cache.mass-query"],
      checkReferences: settings["cache.check-references"],
      compression: settings["cache.compression"],
      onError: (error) => reportCacheFailure(logger, error),
      scanReferences: settings["cache.scan-references"],
      warn: (message) => logger.warn(message),
      maxNarSize: BigInt(settings["limit.nar"]),
    },
  );
}

/** Logs what fails in the cache, while it answers or in the background. */
export function reportCacheFailure(logger: Logger, error: unknown): void {
  logger.error("the binary cache failed", { error: errorText(error) });
}
