import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { ServerTls } from "@tvix/grpc";
import { ConfigError } from "../config/config-error.js";
import type { Settings } from "../config/settings.js";

/**
 * Reads certificate and key and sees that they belong together; `undefined` when TLS is off.
 *
 * @throws {@link ConfigError}
 */
export function readTlsFiles(settings: Settings): ServerTls | undefined {
  const certFile = settings["tls.cert"];
  const keyFile = settings["tls.key"];
  const caFile = settings["tls.client-ca"];
  if (certFile === undefined || keyFile === undefined) return undefined;
  const clientCa = caFile === undefined ? undefined : readPem(caFile);
  const tls = { cert: readPem(certFile), key: readPem(keyFile), clientCa };
  try {
    createSecureContext({ cert: tls.cert, key: tls.key, ca: clientCa });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError([`${certFile} and ${keyFile} cannot be used for TLS: ${reason}`], {
      cause,
    });
  }
  return tls;
}

function readPem(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError([`${file} cannot be read: ${reason}`], { cause });
  }
  if (!text.includes("-----BEGIN ")) throw new ConfigError([`${file} is not a PEM file`]);
  return text;
}
