import {
  AddressError,
  formatSize,
  formatTime,
  parseServiceAddress,
  parseSize,
  parseTime,
} from "@tvix/composition";
import { InvalidKeyError, VerifyingKey } from "@tvix/store";
import { z } from "zod";
import { type ListenAddress, parseListenAddress } from "./listen-address.js";
import { isOrigin } from "./origin.js";
import type {
  CacheCompression,
  LogFormat,
  LogLevel,
  ReferenceScan,
  SettingKey,
  Settings,
} from "./settings.js";

/** Some of the settings: those of one source. */
export type SettingsLayer = { readonly [K in SettingKey]?: Settings[K] | undefined };

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const KIB = 1024;
const MIB = 1024 * KIB;
const TIB = 1024 * 1024 * MIB;

/** What stock gRPC peers can be told to take; connections hold that much each. */
const MAX_MESSAGE = 64 * MIB;
/** Below this, a Directory of a few hundred entries would not pass. */
const MIN_MESSAGE = 64 * KIB;

/**
 * What values each key takes. The message of every issue completes "KEY ...".
 * Unknown keys are issues of the code `unrecognized_keys`.
 */
export const layerSchema: z.ZodType<SettingsLayer> = z.strictObject({
  "data-dir": path().optional(),
  store: address().optional(),
  composition: path().optional(),
  listen: addresses().optional(),
  insecure: boolean().optional(),
  tokens: path().optional(),
  "cors-origin": origins().optional(),
  "signing-key": paths().optional(),
  list: boolean().optional(),
  metrics: boolean().optional(),
  "shutdown-grace": time(0, HOUR).optional(),
  "tls.cert": path().optional(),
  "tls.key": path().optional(),
  "tls.client-ca": path().optional(),
  "log.level": choice<LogLevel>(["debug", "info", "warn", "error", "off"]).optional(),
  "log.format": choice<LogFormat>(["auto", "json", "text"]).optional(),
  "cache.trusted-keys": keys().optional(),
  "cache.priority": count(0, 1_000_000).optional(),
  "cache.mass-query": boolean().optional(),
  "cache.check-references": boolean().optional(),
  "cache.compression": choice<CacheCompression>(["none", "zstd", "gzip", "br", "xz"]).optional(),
  "cache.scan-references": choice<ReferenceScan>(["off", "warn", "refuse"]).optional(),
  "limit.connections": count(1, 1_000_000).optional(),
  "limit.streams": count(1, 10_000).optional(),
  "limit.calls": count(1, 1_000_000).optional(),
  "limit.directories": count(1, 100_000_000).optional(),
  "limit.nar": size(KIB, 1024 * TIB).optional(),
  "limit.message-in": size(MIN_MESSAGE, MAX_MESSAGE).optional(),
  "limit.message-out": size(MIN_MESSAGE, MAX_MESSAGE).optional(),
  "limit.header-timeout": time(SECOND / 10, HOUR).optional(),
  "limit.idle-timeout": time(SECOND, 24 * HOUR).optional(),
  "limit.stall-timeout": time(SECOND, 24 * HOUR).optional(),
});

function path(): z.ZodType<string> {
  const error = "must be a path";
  return z
    .string({ error })
    .min(1, { error: "must be a path, not empty" })
    .refine((text) => !text.includes("\0"), { error });
}

function address(): z.ZodType<string> {
  const error = "must be the address of a store, such as grpc+http://HOST:PORT";
  return z.string({ error }).refine(isAddress, { error });
}

function isAddress(text: string): boolean {
  try {
    parseServiceAddress(text);
    return true;
  } catch (error) {
    if (error instanceof AddressError) return false;
    throw error;
  }
}

function boolean(): z.ZodType<boolean> {
  return z.boolean({ error: "must be true or false" });
}

function count(min: number, max: number): z.ZodType<number> {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

function choice<T extends string>(values: readonly [T, ...T[]]): z.ZodType<T> {
  const quoted = values.map((value) => `"${value}"`);
  const error = `must be ${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
  return z.enum(values, { error }) as z.ZodType<string> as z.ZodType<T>;
}

function time(min: number, max: number): z.ZodType<number> {
  const error = `must be a time such as "500ms", "30s" or "5m", from ${formatTime(min)} to ${formatTime(max)}`;
  return z
    .string({ error })
    .transform((text) => parseTime(text) ?? Number.NaN)
    .refine((value) => value >= min && value <= max, { error });
}

function size(min: number, max: number): z.ZodType<number> {
  const error = `must be a size such as "256KiB" or "4MiB", from ${formatSize(min)} to ${formatSize(max)}`;
  return z
    .string({ error })
    .transform((text) => parseSize(text) ?? Number.NaN)
    .refine((value) => value >= min && value <= max, { error });
}

function addresses(): z.ZodType<readonly ListenAddress[]> {
  const error =
    'must be addresses HOST:PORT, such as "127.0.0.1:8000" or "[::1]:8000", or "none" alone';
  return listOf(parseListenAddress, error);
}

function origins(): z.ZodType<readonly string[]> {
  const error =
    'must be origins, such as "https://example.org" or "http://localhost:5173", without a path, or "none" alone';
  return listOf((text) => (isOrigin(text) ? text : undefined), error);
}

function paths(): z.ZodType<readonly string[]> {
  const error = 'must be paths of files, or "none" alone';
  return listOf((text) => (text === "" || text.includes("\0") ? undefined : text), error);
}

function keys(): z.ZodType<readonly string[]> {
  const error =
    'must be public keys, such as "cache.example.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=", or "none" alone';
  return listOf((text) => (isVerifyingKey(text) ? text : undefined), error);
}

function isVerifyingKey(text: string): boolean {
  try {
    VerifyingKey.parse(text);
    return true;
  } catch (error) {
    if (error instanceof InvalidKeyError) return false;
    throw error;
  }
}

/** One text or a list of them; "none" alone is an empty list. */
function listOf<T>(parse: (text: string) => T | undefined, error: string): z.ZodType<readonly T[]> {
  const list = z.union([z.string().transform((text) => [text]), z.array(z.string())], { error });
  return list.transform((texts, context) => {
    if (texts.length === 1 && texts[0] === "none") return [];
    const parsed = texts.map(parse);
    const sound = parsed.filter((value) => value !== undefined);
    if (sound.length < parsed.length) context.addIssue({ code: "custom", message: error });
    return sound;
  });
}
