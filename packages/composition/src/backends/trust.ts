import { InvalidKeyError, TrustedKeys, VerifyingKey } from "@tvix/store";
import type { Field } from "../fields/field.js";
import { alias, checked, defaulted, flag, listOf, optional } from "../fields/fields.js";

/** The fields that say who is believed. */
export const TRUST_FIELDS: {
  readonly trusted_public_keys: Field<TrustedKeys | undefined>;
  readonly accept_unsigned: Field<boolean>;
} = {
  trusted_public_keys: alias(optional(publicKeys()), "trusted-public-keys", "public_keys"),
  accept_unsigned: alias(defaulted(flag(), "false"), "accept-unsigned"),
};

/** Believing anybody has to be said. */
export function trustRule(settings: {
  readonly trusted_public_keys: TrustedKeys | undefined;
  readonly accept_unsigned: boolean;
}): string | undefined {
  if ((settings.trusted_public_keys === undefined) === settings.accept_unsigned) return undefined;
  return "needs either trusted_public_keys or accept_unsigned = true, which believes anybody";
}

/** Public keys of Nix, at least one. */
function publicKeys(): Field<TrustedKeys> {
  const example = "cache.example.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";
  return checked(`public keys, such as "${example}"`, (value) => {
    const keys = (listOf(value) ?? [""]).map(parseKey);
    const sound = keys.filter((key) => key !== undefined);
    return sound.length === keys.length && sound.length > 0 ? TrustedKeys.of(sound) : undefined;
  });
}

function parseKey(text: string): VerifyingKey | undefined {
  try {
    return VerifyingKey.parse(text);
  } catch (error) {
    if (error instanceof InvalidKeyError) return undefined;
    throw error;
  }
}
