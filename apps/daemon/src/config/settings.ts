import type { FileCompression } from "@tvix/store/http";
import type { ListenAddress } from "./listen-address.js";

/** How much the daemon writes about what it does; "off" writes nothing but the line that says it is ready. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "off";

/** "auto" is text on a terminal and JSON elsewhere. */
export type LogFormat = "auto" | "json" | "text";

/** How the NARs are compressed that narinfos of the binary cache lead to. */
export type CacheCompression = FileCompression | "none";

/** What becomes of an upload whose content refers to something else than it says. */
export type ReferenceScan = "off" | "warn" | "refuse";

/**
 * Everything about a daemon that can be set, validated. Keys are those of the file, with the table in
 * front (`tls.cert` is `cert` in `[tls]`). Times are in milliseconds, sizes in bytes.
 */
export interface Settings {
  readonly "data-dir": string;
  /** An address of what is served in the place of the data directory. */
  readonly store: string | undefined;
  /** A file that says what is served in the place of the data directory. */
  readonly composition: string | undefined;
  /** Empty when there is only the socket in the data directory. */
  readonly listen: readonly ListenAddress[];
  readonly insecure: boolean;
  readonly tokens: string | undefined;
  /** Origins of web pages that may call, besides those of the daemon itself. */
  readonly "cors-origin": readonly string[];
  /** Files. */
  readonly "signing-key": readonly string[];
  readonly list: boolean;
  readonly metrics: boolean;
  readonly "shutdown-grace": number;
  readonly "tls.cert": string | undefined;
  readonly "tls.key": string | undefined;
  readonly "tls.client-ca": string | undefined;
  readonly "log.level": LogLevel;
  readonly "log.format": LogFormat;
  /** Each is sound. */
  readonly "cache.trusted-keys": readonly string[];
  readonly "cache.priority": number;
  readonly "cache.mass-query": boolean;
  readonly "cache.check-references": boolean;
  readonly "cache.compression": CacheCompression;
  readonly "cache.scan-references": ReferenceScan;
  readonly "limit.connections": number;
  readonly "limit.streams": number;
  readonly "limit.calls": number;
  readonly "limit.directories": number;
  readonly "limit.nar": number;
  readonly "limit.message-in": number;
  readonly "limit.message-out": number;
  readonly "limit.header-timeout": number;
  readonly "limit.idle-timeout": number;
  readonly "limit.stall-timeout": number;
}

export type SettingKey = keyof Settings;

/** What is set where nothing else says so. The data directory is the caller's to choose. */
export const DEFAULTS: Omit<Settings, "data-dir"> = {
  store: undefined,
  composition: undefined,
  listen: [{ host: "127.0.0.1", port: 8000 }],
  insecure: false,
  tokens: undefined,
  "cors-origin": [],
  "signing-key": [],
  list: true,
  metrics: true,
  "shutdown-grace": 30_000,
  "tls.cert": undefined,
  "tls.key": undefined,
  "tls.client-ca": undefined,
  "log.level": "info",
  "log.format": "auto",
  "cache.trusted-keys": [],
  "cache.priority": 39,
  "cache.mass-query": true,
  "cache.check-references": true,
  "cache.compression": "none",
  "cache.scan-references": "off",
  "limit.connections": 4096,
  "limit.streams": 256,
  "limit.calls": 8192,
  "limit.directories": 1_048_576,
  "limit.nar": 1024 ** 4,
  "limit.message-in": 4 * 1024 * 1024,
  "limit.message-out": 4 * 1024 * 1024,
  "limit.header-timeout": 10_000,
  "limit.idle-timeout": 300_000,
  "limit.stall-timeout": 60_000,
};
