import type { LocalStore } from "@tvix/castore/local";
import { type SigningKey, TrustedKeys, VerifyingKey } from "@tvix/store";
import { BinaryCache } from "@tvix/store/http";
import type { Settings } from "../config/settings.js";
import type { StoreParts } from "./store-parts.js";

/** The binary cache over a local store. */
export function createBinaryCache(
  local: LocalStore,
  parts: StoreParts,
  settings: Settings,
  signingKeys: readonly SigningKey[],
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
      maxNarSize: BigInt(settings["limit.nar"]),
    },
  );
}
