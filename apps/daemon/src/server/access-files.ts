import type { ServerTls } from "@tvix/grpc";
import { readTokenFile } from "../auth/token-file.js";
import type { TokenSet } from "../auth/token-set.js";
import { ConfigError } from "../config/config-error.js";
import type { Settings } from "../config/settings.js";
import type { LogFields } from "../log/logger.js";
import { readTlsFiles } from "./tls-files.js";

/** What decides who is let in, as far as it is in files: read at the start, and again on demand. */
export interface AccessFiles {
  readonly tls: ServerTls | undefined;
  readonly tokens: TokenSet | undefined;
  readonly warnings: readonly string[];
  /** For the log: what was read. */
  readonly fields: LogFields;
}

/** @throws {@link ConfigError} with every broken rule of every file */
export function readAccessFiles(settings: Settings): AccessFiles {
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
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    tls: tls?.tls,
    tokens: tokens?.tokens,
    warnings: [...(tls?.warnings ?? []), ...(tokens?.warnings ?? [])],
    fields: { tokens: tokens?.tokens.size ?? 0, certificateExpires: tls?.expires.toISOString() },
  };
}
