import type { SettingKey } from "./settings.js";

/**
 * One key of the configuration, as the command line, the environment and the documentation show it.
 * What values it takes is said by the schema.
 */
export interface KeySpec {
  /** How the value is written, see `textValue()` for text and `printSettings()` for files. */
  readonly kind: "switch" | "number" | "path" | "paths" | "list" | "time" | "size" | "text";
  /** Placeholder of the value; switches have none. */
  readonly value?: string;
  /** What the option does: one sentence without a final period. */
  readonly summary: string;
}

/** Every key, in the order of `--help` and `--print-config`: those of no table first. */
export const KEYS: Readonly<Record<SettingKey, KeySpec>> = {
  "data-dir": { kind: "path", value: "DIR", summary: "Where the store is kept" },
  store: {
    kind: "text",
    value: "ADDR",
    summary: "Serve what is at this address, such as cache:?near=local:&far=...",
  },
  composition: {
    kind: "path",
    value: "FILE",
    summary: "Serve what this file puts together; see tvix config check --help",
  },
  listen: {
    kind: "list",
    value: "HOST:PORT,...",
    summary: 'Where to listen besides daemon.sock: 127.0.0.1:8000 by default, "none" for nowhere',
  },
  insecure: {
    kind: "switch",
    summary: "Serve other machines without TLS or without authentication",
  },
  tokens: {
    kind: "path",
    value: "FILE",
    summary: "Ask for a token of this file: NAME SCOPE TOKEN on each line",
  },
  "cors-origin": {
    kind: "list",
    value: "ORIGIN,...",
    summary: "Let web pages of these origins call, such as https://example.org",
  },
  "signing-key": {
    kind: "paths",
    value: "FILE,...",
    summary: "Sign paths and roots that are served with the keys in these files",
  },
  list: { kind: "switch", summary: "Refuse to list all store paths (PathInfoService.List)" },
  metrics: { kind: "switch", summary: "Serve no /metrics" },
  "shutdown-grace": {
    kind: "time",
    value: "TIME",
    summary: "How long calls may take to end once the daemon was told to: 30s by default",
  },
  "tls.cert": { kind: "path", value: "FILE", summary: "Certificate chain (PEM); turns TLS on" },
  "tls.key": { kind: "path", value: "FILE", summary: "Key of the certificate (PEM)" },
  "tls.client-ca": {
    kind: "path",
    value: "FILE",
    summary: "Ask clients for a certificate that one of these (PEM) has signed",
  },
  "log.level": {
    kind: "text",
    value: "LEVEL",
    summary: "debug, info (the default), warn, error or off",
  },
  "log.format": {
    kind: "text",
    value: "FORMAT",
    summary: "json, text or auto (the default): text on a terminal",
  },
  "cache.trusted-keys": {
    kind: "list",
    value: "NAME:KEY,...",
    summary: "Take only paths that one of these public keys has signed, or that prove themselves",
  },
  "cache.priority": {
    kind: "number",
    value: "N",
    summary: "Which cache Nix asks first, the lowest: 39 by default",
  },
  "cache.mass-query": {
    kind: "switch",
    summary: "Ask Nix not to look for many paths here that may not be there",
  },
  "cache.check-references": {
    kind: "switch",
    summary: "Take paths that refer to others which are not here",
  },
  "cache.compression": {
    kind: "text",
    value: "NAME",
    summary:
      "Serve NARs compressed with zstd, gzip, br or xz, which keeps the files: none by default",
  },
  "cache.scan-references": {
    kind: "text",
    value: "WHAT",
    summary:
      "Search uploads for the references that they state, and warn about or refuse what differs: off (the default), warn or refuse",
  },
  "limit.connections": {
    kind: "number",
    value: "N",
    summary: "Connections at a time: 4096 by default",
  },
  "limit.streams": {
    kind: "number",
    value: "N",
    summary: "Calls at a time on one connection: 256 by default",
  },
  "limit.calls": {
    kind: "number",
    value: "N",
    summary: "Calls at a time on all connections: 8192 by default",
  },
  "limit.directories": {
    kind: "number",
    value: "N",
    summary: "Directories of one upload: 1048576 by default",
  },
  "limit.nar": {
    kind: "size",
    value: "SIZE",
    summary: "Largest NAR taken, after decompression: 1024GiB by default",
  },
  "limit.message-in": {
    kind: "size",
    value: "SIZE",
    summary: "Largest message taken: 4MiB by default",
  },
  "limit.message-out": {
    kind: "size",
    value: "SIZE",
    summary: "Largest message sent: 4MiB by default",
  },
  "limit.header-timeout": {
    kind: "time",
    value: "TIME",
    summary: "How long a client may take to say what it wants: 10s by default",
  },
  "limit.idle-timeout": {
    kind: "time",
    value: "TIME",
    summary: "How long a connection may be without a call: 5m by default",
  },
  "limit.stall-timeout": {
    kind: "time",
    value: "TIME",
    summary: "How long a call may go without a byte either way: 1m by default",
  },
};

/** All keys, in order. */
export const SETTING_KEYS: readonly SettingKey[] = Object.keys(KEYS) as SettingKey[];
