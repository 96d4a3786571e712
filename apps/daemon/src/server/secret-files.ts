import type { ServerTls } from "@tvix/grpc";
import type { SigningKey } from "@tvix/store";
import { readTokenFile } from "../auth/token-file.js";
import type { TokenSet } from "../auth/token-set.js";
import { ConfigError } from "../config/config-error.js";
import type { Settings } from "../config/settings.js";
import type { LogFields } from "../log/logger.js";
import { readSigningKeys } from "./signing-keys.js";
import { readTlsFiles } from "./tls-files.js";

/** Who is let in and who signs, as far as it is in files: read at the start, and again on demand. */
export interface SecretFiles {
  readonly tls: ServerTls | undefined;
  readonly tokens: TokenSet | undefined;
  /** Sign what the binary cache serves. */
  readonly signingKeys: readonly SigningKey[];
  readonly warnings: readonly string[];
  /** For the log: what was read. */
  readonly fields: LogFields;
}

/** @throws {@link ConfigError} with every broken rule of every file */
export function readSecretFiles(settings: Settings): SecretFiles {
  const problems: string[] = [];
  const collect = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
      return undefined;
    }
  };
  const tls = collect(() => readTlsFiles(settings));
  const tokenFile = settings.tokens;
  const tokens = tokenFile === undefined ? undefined : collect(() => readTokenFile(tokenFile));
  const signing = collect(() => readSigningKeys(settings["signing-key"]));
  if (problems.length > 0) throw new ConfigError(problems);
  const signingKeys = signing?.keys ?? [];
  return {
    tls: tls?.tls,
    tokens: tokens?.tokens,
    signingKeys,
    warnings: [tls, tokens, signing].flatMap((read) => read?.warnings ?? []),
    fields: {
      tokens: tokens?.tokens.size ?? 0,
      certificateExpires: tls?.expires.toISOString(),
      signingKeys: signingKeys.map(({ keyName }) => keyName),
    },
  };
}
