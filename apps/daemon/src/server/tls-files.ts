import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { ServerTls } from "@tvix/grpc";
import { ConfigError } from "../config/config-error.js";
import type { Settings } from "../config/settings.js";
import { unreadable } from "../config/unreadable.js";

/** What the files of TLS hold, and what is to be said about them. */
export interface LoadedTls {
  readonly tls: ServerTls;
  /** When the certificate ends to be valid. */
  readonly expires: Date;
  readonly warnings: readonly string[];
}

/**
 * Reads certificate, key and authorities, and sees that they are what they should be and belong together;
 * `undefined` when TLS is off.
 *
 * @throws {@link ConfigError} with every broken rule
 */
export function readTlsFiles(settings: Settings): LoadedTls | undefined {
  const certFile = settings["tls.cert"];
  const keyFile = settings["tls.key"];
  const caFile = settings["tls.client-ca"];
  if (certFile === undefined || keyFile === undefined) return undefined;
  const problems: string[] = [];
  const cert = readFile(certFile, parseCertificates, problems);
  const key = readFile(keyFile, parseKey, problems);
  const ca = caFile === undefined ? undefined : readFile(caFile, parseCertificates, problems);
  const leaf = cert?.parsed;
  if (leaf !== undefined && key !== undefined && !leaf.checkPrivateKey(key.parsed)) {
    problems.push(`${keyFile} is not the key of the certificate in ${certFile}`);
  }
  if (leaf === undefined || cert === undefined || key === undefined || problems.length > 0) {
    throw new ConfigError(problems);
  }
  const tls = { cert: cert.text, key: key.text, clientCa: ca?.text };
  checkTogether(tls, `${certFile} and ${keyFile}`);
  return { tls, expires: new Date(leaf.validTo), warnings: datesOf(leaf, certFile) };
}

interface Pem<T> {
  readonly text: string;
  readonly parsed: T;
}

/** Reads a PEM file; what is wrong with it goes to `problems`. */
function readFile<T>(
  file: string,
  parse: (text: string) => T,
  problems: string[],
): Pem<T> | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    problems.push(unreadable(file, error));
    return undefined;
  }
  try {
    if (!text.includes("-----BEGIN ")) throw new Error("there is no PEM in it");
    return { text, parsed: parse(text) };
  } catch (error) {
    problems.push(`${file} cannot be used: ${messageOf(error)}`);
    return undefined;
  }
}

const CERTIFICATE = /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----.*?-----END \1CERTIFICATE-----/gs;

/** The first of a chain; all are looked at. */
function parseCertificates(text: string): X509Certificate {
  const [first] = (text.match(CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
  if (first === undefined) throw new Error("there is no certificate in it");
  return first;
}

function parseKey(text: string): KeyObject {
  if (!text.includes("PRIVATE KEY-----")) throw new Error("there is no private key in it");
  if (text.includes("ENCRYPTED")) throw new Error("the key must have no passphrase");
  return createPrivateKey(text);
}

/** What only shows when they are used: a key that is too short, an algorithm that is not allowed. */
function checkTogether({ cert, key, clientCa }: ServerTls, files: string): void {
  try {
    createSecureContext({ cert, key, ca: clientCa });
  } catch (cause) {
    throw new ConfigError([`${files} cannot be used for TLS: ${messageOf(cause)}`], { cause });
  }
}

/** Clients will refuse a certificate outside its time. */
function datesOf({ validFrom, validTo }: X509Certificate, file: string): string[] {
  const now = Date.now();
  if (now > Date.parse(validTo)) return [`${file} has expired: it was valid until ${validTo}`];
  return now < Date.parse(validFrom) ? [`${file} is not valid before ${validFrom}`] : [];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
