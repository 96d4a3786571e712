import type { LocalStore } from "@tvix/castore/local";
import { type SigningKey, TrustedKeys, VerifyingKey } from "@tvix/store";
import { BinaryCache } from "@tvix/store/http";
import type { Settings } from "../config/settings.js";
import type { StoreParts } from "./store-parts.js";

/** What is not in the settings. */
export interface CacheOptions {
  readonly signingKeys: readonly SigningKey[];
  /** Is told of what fails in the background. */
  readonly onError: (error: unknown) => void;
}

/** The binary cache over a local store. To be closed before that. */
export function createBinaryCache(
  local: LocalStore,
  parts: StoreParts,
  settings: Settings,
  { signingKeys, onError }: CacheOptions,
): BinaryCache {
  const { blobs, directories } = local;
  const trusted = settings["cache.trusted-keys"].map((text) => VerifyingKey.parse(text));
  return new BinaryCache(
    { blobs, directories, ...parts, values: local },
    {
      signingKeys,
      trustedKeys: trusted.length > 0 ? TrustedKeys.of(trusted) : undefined,
      priority: settings["cache.priority"],
      wantMassQuery: settings["cache.mass-query"],
      checkReferences: settings["cache.check-references"],
      compression: settings["cache.compression"],
      onError,
      maxNarSize: BigInt(settings["limit.nar"]),
    },
  );
}
